"""Networks of the user's own: objects with arrays ``weight``, (out, in), and ``bias``, which map x to x·wᵀ + b."""

import numpy as np

from rosetta_worker.messages import OwnTensor
from rosetta_worker.own_network import Calculated, check_fit, own_code

NAMES = ("weight", "bias")


class OwnNetwork:
    """Gradients are written out; ``scale``, if the network has one, multiplies what it gives."""

    def __init__(self, make, inputs, device, seed):
        self.dtype = np.float32
        self.network = make(lambda found: hasattr(found, "weight") and not isinstance(found, type), "a network")

    def tensors(self):
        kinds = {"weight": ("dense_weight", "OI"), "bias": ("bias", "O")}
        shapes = {name: list(getattr(self.network, name).shape) for name in NAMES}
        return [OwnTensor(n, shapes[n], "float32", "parameter", *kinds[n], True) for n in NAMES]

    def calls(self):
        return []

    def own_weights(self):
        return {name: np.array(getattr(self.network, name)) for name in NAMES}

    def load_own_weights(self, arrays):
        check_fit(arrays, {name: array.shape for name, array in self.own_weights().items()})
        for name, array in arrays.items():
            setattr(self.network, name, array.astype(self.dtype))

    def outputs(self, inputs):
        with own_code():
            return {"output": self.network(inputs[0].astype(self.dtype))}

    def calculate(self, inputs, factors, training):
        outputs = self.outputs(inputs)
        back = factors["output"].astype(self.dtype) * self.dtype(getattr(self.network, "scale", 1))
        gradients = {"weight": back.T @ inputs[0].astype(self.dtype), "bias": back.sum(axis=0)}
        return Calculated(outputs, float((outputs["output"] * factors["output"]).sum()), gradients, {}, [])

    def to_float64(self):
        self.dtype = np.float64
        self.load_own_weights(self.own_weights())
