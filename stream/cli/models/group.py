"""The group ``tocsin models``."""

import click

from stream.cli.models.check import check
from stream.cli.models.gate import gate, labels
from stream.cli.models.promotion import promote, rollback
from stream.cli.models.shadow import challenge, shadow
from stream.cli.models.upkeep import doctor, gc, key
from stream.cli.models.versions import check_in, diff, list_, show


@click.group()
def models() -> None:
    """Keep versions of trained models in a store (TOCSIN_MODELS), and choose which one judges.

    \b
    Example:
      export TOCSIN_MODELS=s3://bucket/prefix TOCSIN_BUNDLE=s3://bucket/prefix/nova@champion
      tocsin train /var/log/nova --out bundle --register nova
      tocsin models list nova
    """  # noqa: D301 - click reads \b as "do not wrap this paragraph"


for command in (
    list_,
    show,
    check_in,
    check,
    gate,
    labels,
    challenge,
    shadow,
    promote,
    rollback,
    diff,
    gc,
    doctor,
    key,
):
    models.add_command(command)
