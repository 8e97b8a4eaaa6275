"""Losses, gradients and metrics by PyTorch, torchmetrics and scikit-learn's definitions, for `runtime/tests/objectives.rs`.

    pip install torch==2.15.0 torchmetrics numpy
    python objectives.py > objectives.json
"""

import json

import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics.functional as M
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_f1_score,
    multiclass_jaccard_index,
    multilabel_average_precision,
    multilabel_f1_score,
)

rng = np.random.default_rng(20)
cases = []


def numbers(*shape, scale=2.0):
    # What single precision holds exactly, so that both sides see the same numbers.
    return torch.tensor(np.float32(rng.normal(size=shape) * scale), dtype=torch.float64)


def add(task, outputs, targets, loss, metrics, **options):
    outputs = outputs.detach()
    cases.append({
        "task": task,
        "shape": list(outputs.shape[1:]),
        "outputs": outputs.reshape(len(outputs), -1).tolist(),
        "targets": np.asarray(targets, dtype=np.float64).reshape(len(outputs), -1).tolist(),
        "loss": loss[0].item(),
        "gradient": loss[1].reshape(len(outputs), -1).tolist(),
        "metrics": {k: float(v) for k, v in metrics.items()},
        **options,
    })


def with_gradient(outputs, loss):
    outputs.requires_grad_(True)
    value = loss(outputs)
    return value, torch.autograd.grad(value, outputs)[0]


def one_hot(labels, classes):
    return F.one_hot(labels, classes).double()


# Classes.
def classes(n, k, smoothing, weights, loss_word, gamma=0.0):
    outputs = numbers(n, k)
    labels = torch.tensor(rng.integers(0, k, n))
    weight = torch.tensor(weights, dtype=torch.float64) if weights else None

    def loss(x):
        if gamma == 0.0:
            return F.cross_entropy(x, labels, weight=weight, label_smoothing=smoothing)
        log_p = F.log_softmax(x, 1).gather(1, labels[:, None])[:, 0]
        return (-((1 - log_p.exp()) ** gamma) * log_p).mean()

    pair = with_gradient(outputs, loss)
    x = outputs.detach()
    metrics = {"accuracy": multiclass_accuracy(x, labels, k, average="micro")}
    if k > 5:
        metrics["top5"] = multiclass_accuracy(x, labels, k, average="micro", top_k=5)
    add("classes", outputs, one_hot(labels, k), pair, metrics, loss_word=loss_word, smoothing=smoothing, weights=weights)


classes(6, 4, 0.0, [], "auto")
classes(5, 7, 0.1, [], "cross-entropy")
classes(8, 3, 0.2, [0.5, 2.0, 1.25], "cross-entropy")
classes(6, 4, 0.0, [], "focal(2)", gamma=2.0)
classes(6, 4, 0.0, [], "focal(0.5)", gamma=0.5)


# Several labels.
def labels(n, k, positive):
    outputs = numbers(n, k)
    targets = torch.tensor(rng.integers(0, 2, (n, k)))
    targets[0] = 1
    weight = torch.tensor(positive, dtype=torch.float64) if positive else None
    pair = with_gradient(outputs, lambda x: F.binary_cross_entropy_with_logits(x, targets.double(), pos_weight=weight))
    x = outputs.detach()
    metrics = {
        "mean_ap": multilabel_average_precision(x.sigmoid(), targets, k),
        "f1": multilabel_f1_score(x.sigmoid(), targets, k),
        "accuracy": ((x >= 0) == (targets > 0)).double().mean(),
    }
    add("multi-label", outputs, targets, pair, metrics, loss_word="auto", weights=positive)


labels(9, 4, [])
labels(12, 3, [2.0, 0.5, 7.0])


# Masks.
def dice(x, targets, k, ignore):
    keep = (targets != 255) & (targets != ignore)
    p = x.softmax(1)
    losses = []
    for image in range(len(x)):
        coefficients = []
        for c in range(k):
            own, there = p[image, c][keep[image]], (targets[image] == c)[keep[image]].double()
            coefficients.append((2 * (own * there).sum() + 1) / (own.sum() + there.sum() + 1))
        losses.append(1 - torch.stack(coefficients).mean())
    return torch.stack(losses)


def masks(n, k, h, w, word, smoothing=0.0, weights=(), ignore=None):
    outputs = numbers(n, k, h, w)
    targets = torch.tensor(rng.integers(0, k, (n, h, w)))
    targets[torch.tensor(rng.random((n, h, w)) < 0.2)] = 255
    weight = torch.tensor(weights, dtype=torch.float64) if weights else None
    ignored = targets.clone()
    if ignore is not None:
        ignored[ignored == ignore] = 255
    counts = torch.stack([(t != 255).sum() for t in ignored]).double()

    def loss(x):
        entropy = lambda: F.cross_entropy(x, ignored, weight=weight, label_smoothing=smoothing, ignore_index=255)
        if word == "dice":
            return dice(x, targets, k, ignore).mean()
        if word == "cross-entropy+dice":
            return entropy() + (dice(x, targets, k, ignore) * counts).sum() / counts.sum()
        if word.startswith("focal"):
            gamma = float(word[6:-1])
            keep = ignored != 255
            log_p = F.log_softmax(x, 1).gather(1, ignored.clamp(max=k - 1)[:, None])[:, 0][keep]
            return (-((1 - log_p.exp()) ** gamma) * log_p).mean()
        return entropy()

    pair = with_gradient(outputs, loss)
    x = outputs.detach()
    keep = ignored != 255
    said, there = x.argmax(1)[keep], ignored[keep]
    metrics = {
        "mean_iou": multiclass_jaccard_index(said, there, k, average="macro"),
        "mean_dice": multiclass_f1_score(said, there, k, average="macro"),
        "pixel_accuracy": multiclass_accuracy(said, there, k, average="micro"),
    }
    add("masks", outputs, targets, pair, metrics, loss_word=word, smoothing=smoothing, weights=list(weights), ignore=ignore)


masks(3, 3, 4, 5, "auto")
masks(2, 4, 6, 5, "cross-entropy", smoothing=0.1, weights=(1.0, 0.5, 2.0, 3.0))
masks(3, 3, 5, 5, "cross-entropy", ignore=1)
masks(2, 3, 4, 4, "dice")
masks(2, 2, 7, 3, "dice", ignore=0)
masks(3, 3, 4, 5, "cross-entropy+dice")
masks(2, 3, 4, 5, "focal(2)")


# Numbers.
def regression(n, k, word, function):
    outputs = numbers(n, k, scale=1.0)
    targets = torch.tensor(np.float32(rng.normal(size=(n, k)) * [3.0, 40.0, 0.02][:k] + [1.0, 300.0, 0.0][:k]), dtype=torch.float64)
    mean, std = targets.mean(0), targets.std(0, unbiased=False)
    pair = with_gradient(outputs, lambda x: function(x, (targets - mean) / std))
    said = (outputs.detach() * std + mean)
    metrics = {
        "mae": torch.stack([M.mean_absolute_error(said[:, i].contiguous(), targets[:, i].contiguous()) for i in range(k)]).mean(),
        "rmse": torch.stack([M.mean_squared_error(said[:, i].contiguous(), targets[:, i].contiguous(), squared=False) for i in range(k)]).mean(),
        "r2": M.r2_score(said, targets),
    }
    add("numbers", outputs, targets, pair, metrics, loss_word=word)


regression(7, 3, "auto", F.mse_loss)
regression(6, 2, "mae", F.l1_loss)
regression(9, 2, "huber(1)", F.huber_loss)
regression(9, 3, "huber(0.3)", lambda a, b: F.huber_loss(a, b, delta=0.3))


# The image itself.
def itself(n, c, h, w, std):
    outputs, targets = numbers(n, c, h, w, scale=0.5), numbers(n, c, h, w, scale=0.5)
    pair = with_gradient(outputs, lambda x: F.mse_loss(x, targets))
    scale = torch.tensor(std, dtype=torch.float64)[None, :, None, None]
    x, y = outputs.detach() * scale, targets * scale
    psnr = torch.stack([M.peak_signal_noise_ratio(a, b, data_range=1.0) for a, b in zip(x, y)]).mean()
    metrics = {"psnr": psnr, "mae": (x - y).abs().mean()}
    add("itself", outputs, targets, pair, metrics, loss_word="auto", std=list(std))


itself(3, 2, 4, 5, (0.25, 0.5))
itself(2, 1, 6, 6, (1.0,))

print(json.dumps(cases, indent=None, separators=(",", ":")).replace("},{", "},\n{"))
