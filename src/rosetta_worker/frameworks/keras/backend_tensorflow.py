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


def mend(optimizer):
    """Give the optimiser the sum of the gradients of a token that occurs several times.

    TensorFlow keeps an embedding's gradient apart by occurrence (tf.IndexedSlices), and Keras 3.15.1 squares each part
    where Adam squares the sum.
    """
    update_step = optimizer.update_step

    def update_step_of_sums(gradient, variable, learning_rate):
        update_step(tf.convert_to_tensor(gradient), variable, learning_rate)

    optimizer.update_step = update_step_of_sums


def loss_and_gradients(model, inputs, labels):
    """Return the loss and its gradients for the model's trainable variables, the network as in prediction."""
    with tf.GradientTape() as tape:
        loss = model.compute_loss(y=labels, y_pred=model(inputs, training=False), training=False)
    return loss, tape.gradient(loss, [variable.value for variable in model.trainable_variables])
