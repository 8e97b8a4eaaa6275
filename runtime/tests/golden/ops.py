"""Writes ops.json: what PyTorch computes for each operation on a small input, with the gradient of the input.

    python3 -m venv venv && venv/bin/pip install torch numpy && venv/bin/python ops.py
"""
import json
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def values(n, shift=0):
    """Numbers in [-1, 1) that Rust makes again: ((i * 37 + shift * 11) % 64) / 32 - 1; repeats give ties on purpose."""
    return torch.tensor([((i * 37 + shift * 11) % 64) / 32 - 1 for i in range(n)])


def run(name, fn, shape, params=(), training=False, specials=()):
    x = values(torch.Size(shape).numel()).clone()
    for index, value in specials:
        x[index] = value
    x = x.reshape(shape).requires_grad_()
    params = [values(torch.Size(s).numel(), k + 1).reshape(s).clone() for k, s in enumerate(params)]
    y = fn(x, *params)
    w = torch.tensor([((i * 7 + 3) % 11) / 5 - 1 for i in range(y.numel())]).reshape(y.shape)
    (y * w).sum().backward()
    clean = lambda t: [None if v != v else ("inf" if v == float("inf") else "-inf" if v == -float("inf") else v) for v in t.flatten().tolist()]
    return {"name": name, "y": clean(y.detach()), "shape": list(y.shape[1:]), "dx": clean(x.grad)}


def bn(x, w, b, m, v, training):
    mean, var = m.clone(), v.clone() + 2
    y = F.batch_norm(x, mean, var, w, b, training, 0.1, 1e-5)
    run_stats.append(mean.tolist() + var.tolist())
    return y


run_stats = []
nan, inf = float("nan"), float("inf")
S = (2, 4, 5, 6)
cases = [
    run("conv", lambda x, w, b: F.conv2d(x, w, b, stride=(2, 1), padding=(1, 2), dilation=(1, 2)), S, [(3, 4, 3, 2), (3,)]),
    run("conv_groups", lambda x, w, b: F.conv2d(x, w, b, padding=1, groups=2), S, [(6, 2, 3, 3), (6,)]),
    run("conv_transpose", lambda x, w, b: F.conv_transpose2d(x, w, b, stride=(2, 3), padding=(1, 2), output_padding=(1, 0), dilation=(1, 2)), S, [(4, 3, 3, 2), (3,)]),
    run("conv_transpose_groups", lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, groups=2), S, [(4, 3, 2, 2), (6,)]),
    run("group_norm", lambda x, w, b: F.group_norm(x, 2, w, b, 1e-5), S, [(4,), (4,)]),
    run("layer_norm", lambda x, w, b: F.layer_norm(x, (4, 5, 6), w, b, 1e-5), S, [(4, 5, 6), (4, 5, 6)]),
    run("instance_norm", lambda x: F.instance_norm(x, eps=1e-5), S),
    run("upsample_nearest", lambda x: F.interpolate(x, scale_factor=(2, 3), mode="nearest"), S),
    run("upsample_bilinear", lambda x: F.interpolate(x, scale_factor=(3, 2), mode="bilinear"), S),
    run("pad_constant", lambda x: F.pad(x, (3, 4, 1, 2), value=0.5), S),
    run("pad_reflect", lambda x: F.pad(x, (3, 4, 1, 2), mode="reflect"), S),
    run("pad_replicate", lambda x: F.pad(x, (3, 4, 1, 2), mode="replicate"), S),
    run("crop", lambda x: F.pad(x, (-1, -2, -1, 0)), S),
    run("channel_shuffle", lambda x: F.channel_shuffle(x, 2), S),
    run("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), S),
    run("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2), (2, 4, 4, 6)),
    run("permute", lambda x: x.permute(0, 2, 3, 1), S),
    run("channel_crop", lambda x: x[:, 1:3], S),
    run("pad_circular", lambda x: F.pad(x, (3, 4, 1, 2), mode="circular"), S),
    run("resize_nearest", lambda x: F.interpolate(x, size=(3, 8), mode="nearest"), S),
    run("resize_bilinear", lambda x: F.interpolate(x, size=(3, 8), mode="bilinear"), S),
    run("resize_antialias", lambda x: F.interpolate(x, size=(2, 8), mode="bilinear", antialias=True), S),
    run("pixel_norm", lambda x, w, b: F.layer_norm(x.permute(0, 2, 3, 1), (4,), w, b, 1e-5).permute(0, 3, 1, 2), S, [(4,), (4,)]),
    run("pixel_linear", lambda x, w, b: F.linear(x.permute(0, 2, 3, 1), w, b).permute(0, 3, 1, 2), S, [(3, 4), (3,)]),
    run("max_pool_dilated", lambda x: F.max_pool2d(x, 2, 1, 1, dilation=(3, 2)), S),
    run("max_pool", lambda x: F.max_pool2d(x, 2), S),
    run("max_pool_ceil", lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True), S),
    run("max_pool_nan", lambda x: F.max_pool2d(x, 2), S, specials=[(0, nan), (7, nan), (40, inf), (41, -inf)]),
    run("avg_pool", lambda x: F.avg_pool2d(x, 3, 2, 1), S),
    run("avg_pool_ceil", lambda x: F.avg_pool2d(x, (2, 3), 2, (0, 1), ceil_mode=True), S),
    run("avg_pool_without_pad", lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False), S),
    run("adaptive_avg_pool", lambda x: F.adaptive_avg_pool2d(x, (3, 4)), S),
    run("lrn", lambda x: F.local_response_norm(x, 3, 0.5, 0.75, 2.0), S),
    run("lrn_even", lambda x: F.local_response_norm(x, 2, 0.5, 0.75, 2.0), S),
    run("batch_norm_eval", lambda x, *p: bn(x, *p, False), S, [(4,)] * 4),
    run("batch_norm_train", lambda x, *p: bn(x, *p, True), S, [(4,)] * 4),
    run("channel_scale", lambda x, w: x * w.reshape(1, -1, 1, 1), S, [(4,)]),
    run("prelu", F.prelu, S, [(1,)]),
    run("prelu_channel", F.prelu, S, [(4,)]),
    run("softmax", lambda x: F.softmax(x * 1.0, 1), S),
    run("log_softmax", lambda x: F.log_softmax(x, 1), S),
]


def hard_sigmoid(x):
    """As F.hardsigmoid, whose derivative has its sixth in single precision whatever the dtype is."""
    return F.relu6(x + 3) / 6


special = [(0, 0.0), (1, -0.0), (2, nan), (3, inf), (4, -inf), (5, 3.0), (6, -3.0), (7, 6.0), (8, 100.0), (9, -100.0)]
for name, fn in {
    "relu": F.relu, "relu6": F.relu6, "leaky_relu": lambda x: F.leaky_relu(x, 0.1), "elu": lambda x: F.elu(x, 0.7),
    "selu": F.selu, "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "hard_tanh": lambda x: F.hardtanh(x, -0.5, 0.75), "silu": F.silu, "mish": F.mish, "hard_swish": F.hardswish, "hard_sigmoid": hard_sigmoid, "sigmoid": torch.sigmoid,
    "tanh": torch.tanh, "softplus": lambda x: F.softplus(x, threshold=1e9),
    "scaled_tanh": lambda x: 1.7159 * torch.tanh(x * (2 / 3)),
}.items():
    cases.append(run(name, fn, (1, 2, 3, 6), specials=special))
json.dump({"cases": cases, "batch_norm_running": run_stats[-1]}, open("ops.json", "w"))
