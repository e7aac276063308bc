"""What Keras leaves to the user of its TensorFlow back end: the device, true float32, gradients without an update."""

import tensorflow as tf


def use(device):
    """Run everything from here on on this device."""
    gpus = tf.config.list_physical_devices("GPU")
    if device == "cuda" and not gpus:
        raise RuntimeError("TensorFlow sees no GPU")
    tf.config.set_visible_devices(gpus[:1] if device == "cuda" else [], "GPU")
    tf.config.experimental.enable_tensor_float_32_execution(False)


def loss_and_gradients(model, images, labels):
    """Return the loss and its gradients for the model's trainable variables, dropout off."""
    with tf.GradientTape() as tape:
        loss = model.compute_loss(y=labels, y_pred=model(images, training=False), training=False)
    return loss, tape.gradient(loss, [variable.value for variable in model.trainable_variables])
