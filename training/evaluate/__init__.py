"""Every published figure, made again from data on disk.

``spec`` says which sets of data there are, ``bundles`` trains or loads what scores them, ``scored`` and ``variants``
give every window a score per detector, per ablation and per trivial rule, ``runs``, ``sessions`` and ``simulated`` know
what was to be found, ``curves`` and ``measures`` make figures of it, ``page`` and ``svg`` show them, ``compare`` is the
regression gate.
"""
