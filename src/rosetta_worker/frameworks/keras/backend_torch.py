"""What Keras leaves to the user of its PyTorch back end: the device, the precision, gradients without an update."""

import keras
import torch

from . import patches

patches.keep_loader_from_dropout()


def use(device, count, dtype, tf32):
    """Run everything from here on on this device; left alone, Keras takes the first GPU wherever there is one."""
    if device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("PyTorch sees no GPU")
    keras.device(f"cuda:{torch.cuda.current_device()}" if device == "cuda" else "cpu").__enter__()
    set_precision("tf32" if tf32 else "ieee")


def set_precision(precision):
    """Have a GPU compute in "ieee" or "tf32"; what is set for cuDNN doesn't reach its parts (PyTorch issue 179445)."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    if not hasattr(cudnn, "conv"):  # before PyTorch 2.9
        matmul.allow_tf32 = cudnn.allow_tf32 = precision == "tf32"
        return
    for operations in (matmul, cudnn, cudnn.conv, cudnn.rnn):
        operations.fp32_precision = precision


def loss_and_gradients(model, inputs, labels):
    """Return the loss and its gradients for the model's trainable variables, the network as in prediction."""
    model.zero_grad()
    logits = model(inputs, training=False)
    loss = model.compute_loss(y=keras.ops.convert_to_tensor(labels), y_pred=logits, training=False)
    loss.backward()
    gradients = [variable.value.grad.clone() for variable in model.trainable_variables]
    model.zero_grad()
    return loss.detach(), gradients


def differentiate(forward, variables, others):
    """Return the scalar and outputs that ``forward`` gives, its gradients for variables, and the others after it."""
    scalar, outputs = forward()
    values = [variable.value for variable in variables]
    if scalar.requires_grad:
        gradients = torch.autograd.grad(scalar, values, allow_unused=True, materialize_grads=True)
    else:
        gradients = [torch.zeros_like(value) for value in values]
    return scalar, outputs, gradients, [variable.value.detach().clone() for variable in others]


def apply(optimizer, gradients, variables):
    """Have an optimiser of Keras take a step."""
    with torch.no_grad():
        optimizer.apply(gradients, variables)


def has_values(tensor):
    """Whether it isn't one that stands for others in a trace: PyTorch has none."""
    return True
