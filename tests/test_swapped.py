"""Laws that share a network, drawn from in several threads at once."""

import threading
from dataclasses import replace

import torch

import workbench as wb


def test_a_law_is_itself_while_another_thread_draws_from_one_with_other_weights():
    d0 = wb.load("router_small").distribution
    d = replace(d0, tensors={name: 0.5 * p for name, p in d0.parameters.items()})

    def draw(law):
        return law.sample(8, torch.Generator().manual_seed(0))

    wanted = {law: draw(law) for law in (d0, d)}
    assert not torch.equal(wanted[d0], wanted[d])
    same = []

    def work(law):
        same.extend(torch.equal(draw(law), wanted[law]) for _ in range(10))

    threads = [threading.Thread(target=work, args=(law,)) for law in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(same) == 20 and all(same)
