"""What Keras leaves to the user of its PyTorch back end: the device, the precision, gradients without an update."""

import keras
import torch
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter


def use(device, count, dtype, tf32):
    """Run everything from here on on this device; left alone, Keras takes the first GPU wherever there is one."""
    if device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("PyTorch sees no GPU")
    keras.device(f"cuda:{torch.cuda.current_device()}" if device == "cuda" else "cpu").__enter__()
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32


def mend(optimizer):
    """Leave the optimiser as it is; on TensorFlow it needs a repair."""


def loss_and_gradients(model, inputs, labels):
    """Return the loss and its gradients for the model's trainable variables, the network as in prediction."""
    model.zero_grad()
    logits = model(inputs, training=False)
    loss = model.compute_loss(y=keras.ops.convert_to_tensor(labels), y_pred=logits, training=False)
    loss.backward()
    gradients = [variable.value.grad.clone() for variable in model.trainable_variables]
    model.zero_grad()
    return loss.detach(), gradients


def draw_apart(make_loader):
    """Give fit's loader, which draws a seed for processes that it doesn't have, random numbers of its own.

    Else dropout's would depend on how many calls of fit an epoch is cut into. Keras has no public name for the loader.
    """

    def make(adapter):
        loader = make_loader(adapter)
        loader.generator = torch.Generator()
        return loader

    return make


ArrayDataAdapter.get_torch_dataloader = draw_apart(ArrayDataAdapter.get_torch_dataloader)
