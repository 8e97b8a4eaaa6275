"""LeNet-5 in PyTorch, timed as `convnet bench` times it: one JSON object with milliseconds per call.

A training step is forward, cross-entropy, backward and an update by SGD with momentum; inference is forward only.
"""
import argparse
import json
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=["train", "infer"], default="train")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    net = LeNet5()
    x, y = torch.randn(args.batch, 1, 28, 28), torch.arange(args.batch) % 10
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)

    def train():
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()

    def infer():
        with torch.inference_mode():
            net(x)

    call = train if args.mode == "train" else infer
    net.train(args.mode == "train")
    start, warm = time.perf_counter(), 0
    while warm < 3 or time.perf_counter() - start < 0.3:
        call()
        warm += 1
    calls = max(1, int(0.05 / ((time.perf_counter() - start) / warm)))
    rounds = []
    for _ in range(args.repeats):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        rounds.append((time.perf_counter() - start) / calls * 1e3)
    print(json.dumps({"median_ms": statistics.median(rounds), "min_ms": min(rounds), "torch": torch.__version__}))


if __name__ == "__main__":
    main()
