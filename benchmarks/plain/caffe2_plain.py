"""mnist_mlp and cifar10_cnn in Caffe2: what ``harness_cost.py`` holds Rosetta's figures for caffe2 against.

How it is called: see chunks.py.
"""

import os

import numpy as np
from chunks import put_back, serve

put_back("caffe2")
from caffe2.python import brew, model_helper, optimizer, workspace


def mnist_mlp(model):
    x = brew.relu(model, brew.fc(model, "image", "dense1", 784, 512), "relu1")
    x = brew.dropout(model, x, "dropout1", ratio=0.2, is_test=False)
    x = brew.relu(model, brew.fc(model, x, "dense2", 512, 512), "relu2")
    x = brew.dropout(model, x, "dropout2", ratio=0.2, is_test=False)
    return brew.fc(model, x, "dense3", 512, 10)


def cifar10_cnn(model):
    x = brew.conv(model, "image", "conv1", 3, 50, kernel=3, pad=1, no_gradient_to_input=1)
    x = brew.relu(model, x, x)
    x = brew.conv(model, x, "conv2", 50, 50, kernel=3, pad=1)
    x = brew.relu(model, brew.max_pool(model, x, "pool1", kernel=2, stride=2), "relu2")
    x = brew.dropout(model, x, "dropout1", ratio=0.25, is_test=False)
    x = brew.conv(model, x, "conv3", 50, 100, kernel=3, pad=1)
    x = brew.relu(model, x, x)
    x = brew.conv(model, x, "conv4", 100, 100, kernel=3, pad=1)
    x = brew.relu(model, brew.max_pool(model, x, "pool2", kernel=2, stride=2), "relu4")
    x = brew.dropout(model, x, "dropout2", ratio=0.25, is_test=False)
    x = brew.fc(model, x, "dense1", 6400, 512)
    x = brew.relu(model, x, x)
    x = brew.dropout(model, x, "dropout3", ratio=0.5, is_test=False)
    return brew.fc(model, x, "dense2", 512, 10)


def build(workload):
    threads = len(os.sched_getaffinity(0))
    workspace.GlobalInit(["caffe2", "--caffe2_log_level=2", f"--caffe2_omp_num_threads={threads}"])
    model = model_helper.ModelHelper(workload)
    logits = {"mnist_mlp": mnist_mlp, "cifar10_cnn": cifar10_cnn}[workload](model)
    _, loss = model.SoftmaxWithLoss([logits, "label"], ["softmax", "loss"])
    model.AddGradientOperators([loss])
    if workload == "mnist_mlp":
        optimizer.build_rms_prop(model, base_learning_rate=0.001, decay=0.9, epsilon=1e-14)
    else:
        optimizer.build_sgd(model, base_learning_rate=0.01, momentum=0.9, nesterov=0)
    workspace.RunNetOnce(model.param_init_net)
    workspace.CreateNet(model.net, input_blobs=["image", "label"])

    def prepare(inputs, labels):
        return list(zip(inputs[0], labels.astype(np.int32), strict=True))

    def train(batches):
        losses = []
        for images, labels in batches:
            workspace.FeedBlob("image", images)
            workspace.FeedBlob("label", labels)
            workspace.RunNet(model.net)
            losses.append(workspace.FetchBlob("loss"))
        return np.array(losses)

    return prepare, train


serve(build)
