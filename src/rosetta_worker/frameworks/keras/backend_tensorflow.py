"""What Keras leaves to the user of its TensorFlow back end: the device, the precision, gradients without an update."""

import tensorflow as tf


def use(device, count, dtype, tf32):
    """Run everything from here on on this device; several CPUs are virtual ones, shared by one processor."""
    gpus = tf.config.list_physical_devices("GPU")
    if device == "cuda" and len(gpus) < count:
        raise RuntimeError("TensorFlow sees " + (f"{len(gpus)} GPUs" if gpus else "no GPU"))
    tf.config.set_visible_devices(gpus[:count] if device == "cuda" else [], "GPU")
    if device == "cpu" and count > 1:
        (processor,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * count)
    tf.config.experimental.enable_tensor_float_32_execution(tf32)


def loss_and_gradients(model, inputs, labels):
    """Return the loss and its gradients for the model's trainable variables, the network as in prediction."""
    with tf.GradientTape() as tape:
        loss = model.compute_loss(y=labels, y_pred=model(inputs, training=False), training=False)
    return loss, tape.gradient(loss, [variable.value for variable in model.trainable_variables])


def differentiate(forward, variables, others):
    """Return the scalar and outputs that ``forward`` gives, its gradients for variables, and the others after it."""
    with tf.GradientTape() as tape:
        scalar, outputs = forward()
    values = [variable.value for variable in variables]
    gradients = tape.gradient(scalar, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]  # an embedding's is sparse
    return scalar, outputs, gradients, [tf.identity(variable.value) for variable in others]


def apply(optimizer, gradients, variables):
    """Have an optimiser of Keras take a step."""
    optimizer.apply(gradients, variables)


def has_values(tensor):
    """Whether it isn't one that stands for others in a trace."""
    return hasattr(tensor, "numpy")
