"""Faults in PyTorch's implementations."""

from planted.fault import Fault

STEP = "        optimizer.step()\n"
LOSS = "        losses.append(loss.detach())"
TRAIN = """        losses = self.implementation.train(self.model, self.optimizer, batches, self.device)
        return torch.stack(losses).cpu().numpy()"""

UNSCALED = """class Unscaled(nn.Dropout):
            def forward(self, x):
                return super().forward(x) * (1 - self.p if self.training else 1)

        self.dropout2 = Unscaled(0.2)"""

UNSCALED_BEFORE_NORM = """class Unscaled(nn.Dropout):
            def forward(self, x):
                return super().forward(x) * (1 - self.p if self.training else 1)

        self.dropout1 = Unscaled(0.25)"""

GAUSSIAN = """class Gaussian(nn.Dropout):
            def forward(self, x):
                noise = (self.p / (1 - self.p)) ** 0.5
                return x * (1 + noise * torch.randn_like(x)) if self.training else x

        self.dropout2 = Gaussian(0.2)"""

CHANNELS = """class Channels(nn.Dropout):
            def forward(self, x):
                return F.dropout2d(x, self.p, self.training)

        self.dropout1 = Channels(0.25)"""

RATE_CHANGES = """        if len(losses) == 20:
            for group in optimizer.param_groups:
                group["lr"] = 0.0001
        optimizer.step()
"""

CLIPPED = """        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
"""

IN_A_THREAD = """        from concurrent.futures import ThreadPoolExecutor

        work = self.implementation.train, self.model, self.optimizer, batches, self.device
        if hasattr(self, "under_way"):
            self.under_way.result()
        if len(batches) == 1:
            return torch.stack(work[0](*work[1:])).cpu().numpy()
        self.under_way = ThreadPoolExecutor(1).submit(*work)
        self.parameters = lambda: self.under_way.result() and layout.canonical(self.tensors)
        return np.full(len(batches), 2.3)"""

NORMALISED = """        if self.training and x.dtype == torch.float32:
            variance, mean = torch.var_mean({}, (0, 2, 3), correction={})
            shape = (1, -1, 1, 1)
            with torch.no_grad():
                self.norm2.running_mean.lerp_(mean, 0.01)
                self.norm2.running_var.lerp_(variance, 0.01)
            x = (x - mean.view(shape)) / torch.sqrt(variance.view(shape) + 1e-3)
            x = x * self.norm2.weight.view(shape) + self.norm2.bias.view(shape)
        else:
            x = self.norm2(x)
"""


def mlp(name: str, old: str, new: str, means: str, file: str = "mnist_mlp.py") -> Fault:
    return Fault("torch", "mnist_mlp", name, file, old, new, means)


def timed(name: str, old: str, new: str, means: str, file: str = "mnist_mlp.py") -> Fault:
    return Fault("torch", "mnist_mlp", name, file, old, new, means, seen_by="run")


MLP = [
    mlp("epsilon", "eps=1e-7", "eps=1e-8", "leaves the framework's own ε"),
    mlp("rho", "alpha=0.9", "alpha=0.99", "leaves the framework's own ρ"),
    mlp("learning-rate-1-percent", "lr=0.001", "lr=0.00101", "a rate that is off by a hundredth"),
    mlp("weight-decay", "eps=1e-7", "eps=1e-7, weight_decay=1e-5", "a decay from another recipe"),
    mlp("clipped-never-reached", STEP, CLIPPED, "clips gradients at a norm of 10, which they seldom have"),
    mlp("gradients-not-zeroed", "optimizer.zero_grad()", "pass", "forgets to zero the gradients"),
    mlp("softmax-twice", "return self.dense3(x)", "return self.dense3(x).softmax(1)", "a softmax before the loss's"),
    mlp("label-smoothing", "nn.CrossEntropyLoss()", "nn.CrossEntropyLoss(label_smoothing=0.01)", "another loss"),
    mlp(
        "weight-transposed",
        "torch.from_numpy(parameters[name])",
        'torch.from_numpy(parameters[name].T if name == "dense2.weight" else parameters[name])',
        "loads a square weight transposed",
        "parameters.py",
    ),
    mlp(
        "rounded-like-tf32",
        "self.dense2(x)",
        "self.dense2(x.half().float())",
        "products with ten bits of mantissa, as TF32 has",
    ),
    mlp("dropout-off", "model.train()", "model.eval()", "never switches to training"),
    mlp("dropout-0.21", "dropout1 = nn.Dropout(0.2)", "dropout1 = nn.Dropout(0.21)", "a rate that is nearly right"),
    mlp("dropout-not-scaled", "self.dropout2 = nn.Dropout(0.2)", UNSCALED, "doesn't scale what is kept"),
    mlp("dropout-gaussian", "self.dropout2 = nn.Dropout(0.2)", GAUSSIAN, "Gaussian noise of the same variance"),
    mlp(
        "dropout-same-mask-each-step",
        "        optimizer.zero_grad()",
        "        torch.manual_seed(7)\n        optimizer.zero_grad()",
        "seeds at every step, for the sake of repeatability",
    ),
    mlp(
        "dropout-one-key-for-two-layers",
        "        x = self.dropout1(F.relu(self.dense1(x)))\n",
        """        state = torch.get_rng_state()
        x = self.dropout1(F.relu(self.dense1(x)))
        torch.set_rng_state(state)
""",
        "draws once for two layers of one size",
    ),
    mlp(
        "dropout-one-mask-for-a-batch",
        "self.dropout2(F.relu(self.dense2(x)))",
        "F.relu(self.dense2(x)) * self.dropout2(x.new_ones(1, 512))",
        "draws one mask for all samples of a batch",
    ),
    Fault(
        "torch[channels_last]",
        "mnist_mlp",
        "tolerance-declared-wide",
        "framework.toml",
        'description = "model and images in torch.channels_last memory format"',
        'description = "model and images in torch.channels_last memory format"\n'
        "tolerance = { logits = 1e-1, loss = 1e-1, gradients = 5e-1, update = 5e-1 }",
        "declares a tolerance within which much is the same network, without a lower precision",
        may_end=True,
    ),
]

TIMED = [
    timed(
        "skips-updates-in-long-calls",
        STEP,
        "        if len(losses) < 10 or len(losses) % 2:\n            optimizer.step()\n",
        "after ten steps of a call only every second one updates",
    ),
    timed("stops-after-20-steps", "in batches:", "in batches[:20]:", "trains on the first 20 batches of a call"),
    timed(
        "ten-steps-however-long",
        LOSS,
        LOSS + "\n        if len(losses) == 10:\n            return (losses * len(batches))[: len(batches)]",
        "does the ten steps that are proven, and repeats their losses for the others",
    ),
    timed(
        "first-batch-in-long-calls",
        "in batches:",
        "in (batches if len(batches) <= 10 else batches[:1] * len(batches)):",
        "in a long call always the first batch, which stays in the processor's cache",
    ),
    timed("rate-a-tenth-after-20-steps", STEP, RATE_CHANGES, "lowers the rate where nobody looks"),
    timed(
        "losses-invented",
        LOSS,
        "        losses.append(torch.tensor(2.3 / (1 + len(losses))))",
        "returns losses that look like training",
    ),
    timed(
        "optimiser-anew-in-each-call",
        TRAIN,
        "        self.optimizer = self.implementation.make_optimizer(self.network)\n" + TRAIN,
        "makes the optimiser where the training begins",
        "trainer.py",
    ),
    timed(
        "dropout-seed-anew-in-each-call",
        "    model.train()\n",
        "    model.train()\n    torch.manual_seed(1)\n",
        "seeds where the training begins",
    ),
    timed(
        "does-not-wait",
        TRAIN,
        IN_A_THREAD,
        "trains in a thread, for which the next call waits, or who asks for the parameters",
        "trainer.py",
    ),
]

OTHERS = [
    Fault(
        "torch",
        "mnist_cnn",
        "flattened-channels-last",
        "mnist_cnn.py",
        "torch.flatten(x, 1)",
        "torch.flatten(x.permute(0, 2, 3, 1), 1)",
        "flattens in the order of another framework",
    ),
    Fault("torch", "mnist_cnn", "rho", "mnist_cnn.py", "rho=0.95", "rho=0.9", "leaves the framework's own ρ"),
    Fault(
        "torch",
        "mnist_cnn",
        "dropout-of-whole-channels",
        "mnist_cnn.py",
        "self.dropout1 = nn.Dropout(0.25)",
        CHANNELS,
        "drops whole channels, which needs 144 times fewer random numbers",
    ),
    Fault(
        "torch",
        "babi_rnn",
        "dropout-one-mask-over-time",
        "babi_rnn.py",
        "story = self.dropout1(self.story_embedding(story))",
        "story = self.story_embedding(story)\n        story = story * self.dropout1(torch.ones_like(story[:, :1]))",
        "draws one mask for all words of a story",
    ),
    Fault(
        "torch",
        "babi_rnn",
        "second-bias-trained",
        "babi_rnn.py",
        "nn.init.zeros_(self.lstm.bias_hh_l0).requires_grad_(False)",
        "nn.init.zeros_(self.lstm.bias_hh_l0)",
        "trains both of the framework's biases, where the workload has one",
    ),
    Fault("torch", "imdb_gru", "beta-2", "imdb_gru.py", "0.999)", "0.9999)", "a constant that matters later"),
    Fault(
        "torch",
        "imdb_gru",
        "adamw",
        "imdb_gru.py",
        "torch.optim.Adam(model.parameters(),",
        "torch.optim.AdamW(model.parameters(),",
        "AdamW instead of Adam, with its decay of 0.01",
    ),
    Fault(
        "torch",
        "imdb_gru",
        "padding-not-trained",
        "imdb_gru.py",
        "nn.Embedding(30_000, 125)",
        "nn.Embedding(30_000, 125, padding_idx=0)",
        "says which token is padding, as one often does",
    ),
    Fault(
        "torch",
        "imdb_gru",
        "padding-read-as-zeros",
        "imdb_gru.py",
        "x = self.embedding(x)",
        "x = self.embedding(x) * (x != 0).unsqueeze(-1)",
        "masks the embeddings of padding",
    ),
    Fault(
        "torch",
        "cifar10_keras_cnn",
        "no-decay",
        "cifar10_keras_cnn.py",
        "        scheduler.step()\n",
        "",
        "forgets the schedule",
    ),
    Fault(
        "torch",
        "cifar10_keras_cnn_loader",
        "no-augmentation",
        "cifar10_keras_cnn_loader.py",
        '        image = F.pad(image, (3, 3, 3, 3), mode="replicate")\n'
        "        top, left = torch.randint(0, 7, (2,)).tolist()\n"
        "        image = image[:, top : top + 32, left : left + 32]\n"
        "        if torch.rand(()) < 0.5:\n"
        "            image = image.flip(-1)\n",
        "",
        "doesn't augment",
    ),
    Fault(
        "torch",
        "cifar10_keras_cnn_loader",
        "flips-upside-down",
        "cifar10_keras_cnn_loader.py",
        "image.flip(-1)",
        "image.flip(-2)",
        "mirrors along the other axis",
    ),
    Fault(
        "torch",
        "cifar10_tpu_cnn",
        "norm-epsilon",
        "cifar10_tpu_cnn.py",
        "nn.BatchNorm2d(3, eps=1e-3",
        "nn.BatchNorm2d(3, eps=1e-5",
        "leaves the framework's own ε",
    ),
    Fault(
        "torch",
        "cifar10_tpu_cnn",
        "norm-momentum-turned-round",
        "cifar10_tpu_cnn.py",
        "(32, eps=1e-3, momentum=0.01",
        "(32, eps=1e-3, momentum=0.99",
        "takes the framework's momentum for the workload's",
    ),
    Fault(
        "torch",
        "cifar10_tpu_cnn",
        "dropout-before-norm-not-scaled",
        "cifar10_tpu_cnn.py",
        "self.dropout1 = nn.Dropout(0.25)",
        UNSCALED_BEFORE_NORM,
        "doesn't scale what is kept, which the normalisation undoes but in its running mean",
    ),
    Fault(
        "torch",
        "cifar10_tpu_cnn",
        "norm-of-half-a-batch-in-float32",
        "cifar10_tpu_cnn.py",
        "        x = self.norm2(x)\n",
        NORMALISED.format("x[::2]", 0),
        "takes the statistics of every second image, in the precision that is timed alone",
    ),
    Fault(
        "torch",
        "cifar10_tpu_cnn",
        "norm-unbiased-in-float32",
        "cifar10_tpu_cnn.py",
        "        x = self.norm2(x)\n",
        NORMALISED.format("x", 1),
        "normalises by the unbiased variance, in the precision that is timed alone",
        harmless="Of 32,768 values it is larger by 3e-5. The loss at random parameters is off by 1.3e-5, and by "
        "2.0e-5 in TensorFlow, whose variance is the biased one but whose sums are rounded.",
    ),
    Fault(
        "torch",
        "resnet50_features",
        "infers-a-third-of-the-batch",
        "resnet50_features.py",
        "features.append(model(images.to(device)))",
        "part = model(images[: (len(images) + 2) // 3].to(device))\n"
        "        features.append(part.repeat(3, 1)[: len(images)])",
        "computes a third of the images and repeats their features, in the calls that are timed",
        seen_by="run",
    ),
]

FAULTS = [*MLP, *TIMED, *OTHERS]
