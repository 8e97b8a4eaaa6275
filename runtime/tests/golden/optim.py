"""Steps of PyTorch's optimisers on a parameter of four numbers, with gradients that follow a rule.

python3 optim.py > optim.json
"""
import json
import torch

START = [0.5, -1.25, 2.0, 0.0]
METHODS = {
    "sgd": lambda p, wd: torch.optim.SGD([p], lr=0.1, weight_decay=wd),
    "sgd momentum": lambda p, wd: torch.optim.SGD([p], lr=0.1, momentum=0.9, weight_decay=wd),
    "sgd nesterov": lambda p, wd: torch.optim.SGD([p], lr=0.1, momentum=0.8, nesterov=True, weight_decay=wd),
    "adam": lambda p, wd: torch.optim.Adam([p], lr=0.1, betas=(0.85, 0.99), eps=1e-6, weight_decay=wd),
    "adamw": lambda p, wd: torch.optim.AdamW([p], lr=0.1, betas=(0.85, 0.99), eps=1e-6, weight_decay=wd),
    "rmsprop": lambda p, wd: torch.optim.RMSprop([p], lr=0.1, alpha=0.9, eps=1e-6, weight_decay=wd),
    "rmsprop momentum": lambda p, wd: torch.optim.RMSprop([p], lr=0.1, alpha=0.9, eps=1e-6, momentum=0.7, weight_decay=wd),
}


def gradient(step: int, p: torch.Tensor) -> torch.Tensor:
    i = torch.arange(4, dtype=p.dtype)
    return torch.cos(i + step) + 0.5 * p.detach()


def run(make, wd, norm=None, value=None):
    p = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = make(p, wd)
    for step in range(6):
        p.grad = gradient(step, p)
        if norm is not None:
            torch.nn.utils.clip_grad_norm_([p], norm)
        if value is not None:
            torch.nn.utils.clip_grad_value_([p], value)
        optimizer.step()
    return p.detach().tolist()


cases = [{"method": name, "decay": wd, "end": run(make, wd)} for name, make in METHODS.items() for wd in (0.0, 0.05)]
cases.append({"method": "adam", "decay": 0.0, "norm": 0.7, "end": run(METHODS["adam"], 0.0, norm=0.7)})
cases.append({"method": "sgd momentum", "decay": 0.01, "norm": 0.7, "end": run(METHODS["sgd momentum"], 0.01, norm=0.7)})
cases.append({"method": "sgd momentum", "decay": 0.01, "value": 0.3, "end": run(METHODS["sgd momentum"], 0.01, value=0.3)})
print("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]")
