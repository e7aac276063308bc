"""Adam, operator by operator, for Caffe2's optimizer.build_adam takes the first step for the second."""

from caffe2.python import core


def build_adam(model, base_learning_rate, beta1, beta2, epsilon):
    """m ← β₁·m + (1−β₁)·g;  v ← β₂·v + (1−β₂)·g²;  w ← w − lr·√(1−β₂ᵗ)/(1−β₁ᵗ) · m / (√v + ε), t = 1 at first.

    Caffe2's operator adds ε before the correction of the bias.
    """
    # The operator adds the step, so the rate is negative.
    rate = model.param_init_net.ConstantFill([], "rate", shape=[1], value=-base_learning_rate)
    steps = model.param_init_net.ConstantFill([], "steps", shape=[1], value=0, dtype=core.DataType.INT64)
    for param in model.params:
        m = model.param_init_net.ConstantFill([param], param + "_first_moment", value=0.0)
        v = model.param_init_net.ConstantFill([param], param + "_second_moment", value=0.0)
        gradient = model.param_to_grad[param]
        model.net.Adam([param, m, v, gradient, rate, steps], [param, m, v], beta1=beta1, beta2=beta2, epsilon=epsilon)
    model.net.Iter(steps, steps)  # counts the steps done
