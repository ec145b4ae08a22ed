"""Logs in, bundles out: data sets, the Keras LSTM, its export to ONNX, calibration, evaluation, the simulator."""
