"""The methods in Caffe2."""

import os
import weakref

from . import shims  # noqa: F401  before Caffe2

# isort: split
import numpy as np
from caffe2.python import model_helper, workspace

from . import parameters as layout

# Unless told otherwise Caffe2 computes with one thread.
THREADS = int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))
workspace.GlobalInit(["caffe2", "--caffe2_log_level=2", "--caffe2_omp_num_threads={}".format(THREADS)])


class Trainer:
    """Nets in the workspace, all over the same parameters: one trains, one predicts, one finds the loss's gradients.

    Caffe2's operators on a CPU are for float32 only: so is all arithmetic, whatever the workload's ``dtype``.
    """

    def __init__(self, implementation, workload, variants, device, dropout, seed):
        # The workspace is Caffe2's own and would outlive the trainer, with all its memory.
        weakref.finalize(self, workspace.ResetWorkspace).atexit = False
        self.implementation = implementation
        self.trained = workload["trained"]
        self.specifications = workload["parameters"]
        self.trainable = [p for p in self.specifications if p["trainable"]]
        self.inputs = [given["name"] for given in workload["inputs"]]

        def new_model(name, is_test, init_params):
            model = model_helper.ModelHelper(name, init_params=init_params)
            return model, implementation.add_network(model, is_test, **workload["options"])

        self.predictor, self.outputs = new_model("predict", is_test=True, init_params=not self.trained)
        if self.trained:
            self.model, outputs = new_model("train", is_test=False, init_params=True)
            implementation.add_loss_and_gradients(self.model, outputs)
            implementation.add_optimizer(self.model)
            if not dropout:
                turn_off_dropout(self.model.net)
            seed_dropout(self.model.net, seed)
            self.differentiated, outputs = new_model("gradients", is_test=True, init_params=False)
            implementation.add_loss_and_gradients(self.differentiated, outputs)

        workspace.RunNetOnce((self.model if self.trained else self.predictor).param_init_net)
        for model in (self.model, self.differentiated, self.predictor) if self.trained else (self.predictor,):
            workspace.CreateNet(model.net, input_blobs=[*self.inputs, "label"])

    def load_parameters(self, parameters):
        if self.trained:
            workspace.RunNetOnce(self.model.param_init_net)  # the optimiser's blobs as well
        layout.load(self.specifications, parameters)

    def parameters(self):
        return layout.canonical(self.specifications)

    def predict(self, inputs):
        self.feed(inputs)
        workspace.RunNet(self.predictor.net)
        return workspace.FetchBlob(self.outputs)

    def loss_and_gradients(self, inputs, labels):
        self.feed(inputs)
        workspace.FeedBlob("label", labels.astype(np.int32))
        workspace.RunNet(self.differentiated.net)
        return float(workspace.FetchBlob("loss")), layout.canonical(self.trainable, self.differentiated.grad_map)

    def feed(self, inputs):
        for name, array in zip(self.inputs, inputs):
            workspace.FeedBlob(name, as_caffe2(array))

    def prepare(self, inputs, labels):
        return list(zip(*map(as_caffe2, inputs), labels.astype(np.int32)))

    def train(self, batches):
        return np.array(self.implementation.train(self.model, batches))

    def reseed(self, seed):
        """Create the net anew: an operator keeps the random numbers that it was created with. No blob changes."""
        seed_dropout(self.model.net, seed * len(self.model.net.Proto().op))  # no two epochs share a dropout's numbers
        workspace.CreateNet(self.model.net, overwrite=True)

    def optimizer_state(self):
        return {name: workspace.FetchBlob(name) for name in self.optimizer_blobs()}

    def load_optimizer_state(self, arrays):
        for name in self.optimizer_blobs():
            workspace.FeedBlob(name, arrays[name])

    def optimizer_blobs(self):
        """Name what is filled once, changes with every step, and is no parameter."""
        parameters = {name for p in self.specifications for name in layout.blobs(p)}
        return sorted((outputs(self.model.param_init_net) & outputs(self.model.net)) - parameters)

    def set_steps_done(self, steps):
        """Set all whole numbers: what it accumulates has fractions."""
        for name in self.optimizer_blobs():
            blob = workspace.FetchBlob(name)
            if blob.dtype.kind == "i":
                workspace.FeedBlob(name, np.full_like(blob, steps))

    def prepare_inputs(self, inputs):
        return list(zip(*map(as_caffe2, inputs)))

    def infer(self, batches):
        return np.concatenate(self.implementation.predict(self.predictor, self.outputs, batches))


def as_caffe2(array):
    """Return pixels in float32; tokens stay int32."""
    return np.ascontiguousarray(array, np.float32) if array.dtype.kind == "f" else array


def turn_off_dropout(net):
    for op in net.Proto().op:
        for arg in op.arg:
            if op.type in ("Dropout", "DropoutGrad") and arg.name == "ratio":
                arg.f = 0.0


def seed_dropout(net, seed):
    """Give each dropout its own random numbers, which begin when the net is created."""
    for index, op in enumerate(net.Proto().op):
        if op.type == "Dropout":
            op.device_option.random_seed = (seed + index) % 2**32


def outputs(net):
    """Name the blobs that a net writes."""
    return {name for op in net.Proto().op for name in op.output}
