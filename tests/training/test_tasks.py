"""What a training task must have, and that the shipped ones have it."""

import importlib
import inspect

import pytest

from gr_jscc.training.tasks import TASKS, JudgedTask, Task


def methods_of(protocol):
    return {name: method for name, method in vars(protocol).items() if inspect.isfunction(method) and name[0] != "_"}


@pytest.mark.parametrize("codec", TASKS)
def test_each_task_has_the_methods_and_parameters_that_the_protocol_names(codec):
    module, name = TASKS[codec]
    task = getattr(importlib.import_module(module), name)
    for method, wanted in methods_of(Task).items():
        given, names = inspect.signature(getattr(task, method)).parameters, inspect.signature(wanted).parameters
        assert list(given)[: len(names)] == list(names), method
        assert all(given[extra].default is not inspect.Parameter.empty for extra in list(given)[len(names) :])
    judged = isinstance(task(), JudgedTask)
    assert judged == ("adversary" in inspect.signature(task.loss).parameters)
