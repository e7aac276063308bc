"""The optimisers that the implementations share: TensorFlow's core has none, they are in Keras."""

import tensorflow as tf


def zeros(variables):
    """Return the state of an optimiser that has one number for each of the network's."""
    return [tf.Variable(tf.zeros_like(w), trainable=False) for w in variables]


class SGD(tf.Module):
    """Gradient descent with momentum: no unit gain, no Nesterov."""

    def __init__(self, variables, learning_rate, momentum):
        super().__init__()
        self.learning_rate, self.momentum = learning_rate, momentum
        self.velocities = zeros(variables)

    def apply_gradients(self, gradients, variables):
        """Update the variables in place."""
        for g, w, v in zip(gradients, variables, self.velocities):
            v.assign(self.momentum * v + g)
            w.assign_sub(self.learning_rate * v)


class RMSprop(tf.Module):
    """RMSprop with ε outside the root (Keras has it inside); a rate that changes is a function of the steps done."""

    def __init__(self, variables, learning_rate, rho, epsilon):
        super().__init__()
        self.learning_rate, self.rho, self.epsilon = learning_rate, rho, epsilon
        self.mean_squares = zeros(variables)
        if callable(learning_rate):
            self.step = tf.Variable(0.0, trainable=False)

    def apply_gradients(self, gradients, variables):
        """Update the variables in place."""
        scheduled = callable(self.learning_rate)
        learning_rate = self.learning_rate(self.step) if scheduled else self.learning_rate
        for g, w, v in zip(gradients, variables, self.mean_squares):
            v.assign(self.rho * v + (1 - self.rho) * tf.square(g))
            w.assign_sub(learning_rate * g / (tf.sqrt(v) + self.epsilon))
        if scheduled:
            self.step.assign_add(1.0)


class Adadelta(tf.Module):
    """Adadelta (Zeiler 2012), with a learning rate."""

    def __init__(self, variables, learning_rate, rho, epsilon):
        super().__init__()
        self.learning_rate, self.rho, self.epsilon = learning_rate, rho, epsilon
        self.mean_squares = zeros(variables)
        self.mean_square_updates = zeros(variables)

    def apply_gradients(self, gradients, variables):
        """Update the variables in place."""
        for g, w, v, u in zip(gradients, variables, self.mean_squares, self.mean_square_updates):
            v.assign(self.rho * v + (1 - self.rho) * tf.square(g))
            update = tf.sqrt(u + self.epsilon) / tf.sqrt(v + self.epsilon) * g
            u.assign(self.rho * u + (1 - self.rho) * tf.square(update))
            w.assign_sub(self.learning_rate * update)


class Adam(tf.Module):
    """Adam by TensorFlow's own operation, which adds ε before the bias correction, as Keras does.

    With ``epsilon_after_correction`` it is Adam as in the paper (Kingma & Ba 2015): ε is added to the corrected root.
    """

    def __init__(self, variables, learning_rate, beta_1, beta_2, epsilon, epsilon_after_correction=False):
        super().__init__()
        self.learning_rate, self.beta_1, self.beta_2, self.epsilon = learning_rate, beta_1, beta_2, epsilon
        self.epsilon_after_correction = epsilon_after_correction
        self.step = tf.Variable(0.0, trainable=False)
        self.means = zeros(variables)
        self.mean_squares = zeros(variables)

    def apply_gradients(self, gradients, variables):
        """Update the variables in place."""
        t = self.step.assign_add(1.0)
        epsilon = self.epsilon
        if self.epsilon_after_correction:
            epsilon *= tf.sqrt(1 - self.beta_2**t)
        for g, w, m, v in zip(gradients, variables, self.means, self.mean_squares):
            tf.raw_ops.ResourceApplyAdam(
                var=w.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=self.beta_1**t,
                beta2_power=self.beta_2**t,
                lr=self.learning_rate,
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=epsilon,
                grad=tf.convert_to_tensor(g),  # an embedding's is sparse, but Adam moves all its rows
            )


class AdamW(Adam):
    """Adam as in the paper that also decays matrices (Loshchilov & Hutter 2019); the rate is a function of the steps
    done.
    """

    def __init__(self, variables, learning_rate, beta_1, beta_2, epsilon, weight_decay):
        super().__init__(variables, learning_rate, beta_1, beta_2, epsilon, epsilon_after_correction=True)
        self.schedule, self.weight_decay = learning_rate, weight_decay

    def apply_gradients(self, gradients, variables):
        """Update the variables in place."""
        self.learning_rate = rate = self.schedule(self.step)
        for w in variables:
            if w.shape.rank > 1:
                w.assign_sub(rate * self.weight_decay * w)
        super().apply_gradients(gradients, variables)
