"""What Keras leaves to the user of its JAX back end: the device, the precision, gradients without an update."""

import jax
import keras


def use(device, count, dtype, tf32):
    """Run everything from here on on this device; several CPUs are virtual ones, shared by one processor.

    JAX turns float64 into float32 unless it is told otherwise.
    """
    if device == "cpu" and count > 1:
        jax.config.update("jax_num_cpu_devices", count)
    jax.config.update("jax_platforms", "cpu" if device == "cpu" else device + ",cpu")  # the first one is the default
    jax.devices(device)  # raises if there is none
    jax.config.update("jax_default_matmul_precision", "tensorfloat32" if tf32 else "highest")
    jax.config.update("jax_enable_x64", dtype == "float64")


def loss_and_gradients(model, inputs, labels):
    """Return the loss and its gradients for the model's trainable variables, the network as in prediction."""
    state = [variable.value for variable in model.non_trainable_variables]

    def loss_function(weights):
        logits, _ = model.stateless_call(weights, state, inputs, training=False)
        return model.compute_loss(y=labels, y_pred=logits, training=False)

    return jax.value_and_grad(loss_function)([variable.value for variable in model.trainable_variables])


def differentiate(forward, variables, others):
    """Return the scalar and outputs that ``forward`` gives, its gradients for variables, and the others after it."""

    def forward_of(values):
        state = [*zip(variables, values), *((variable, variable.value) for variable in others)]
        with keras.StatelessScope(state_mapping=state) as scope:
            scalar, outputs = forward()
        return scalar, (outputs, [scope.get_current_value(variable) for variable in others])

    values = [variable.value for variable in variables]
    (scalar, (outputs, after)), gradients = jax.value_and_grad(forward_of, has_aux=True)(values)
    return scalar, outputs, gradients, after


def apply(optimizer, gradients, variables):
    """Have an optimiser of Keras take a step."""
    optimizer.apply(gradients, variables)


def has_values(tensor):
    """Whether it isn't one that stands for others in a trace."""
    return not isinstance(tensor, jax.core.Tracer)
