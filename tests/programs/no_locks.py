"""Runs a program for which the kernel refuses file locks, as a file system without them does.

usage: no_locks.py flock|records PROGRAM [ARGUMENT …]
"""

import ctypes
import errno
import fcntl
import os
import platform
import sys

FLOCK, FCNTL = {"x86_64": (73, 72), "aarch64": (32, 25)}[platform.machine()]
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER, COMMAND = 0, 16 + 8
REFUSE, ALLOW = 0x00050000 | errno.ENOLCK, 0x7FFF0000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2


class Instruction(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_uint16),
        ("if_so", ctypes.c_uint8),
        ("if_not", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    ]


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("first", ctypes.POINTER(Instruction))]


FILTERS = {
    "flock": [(LOAD, 0, 0, NUMBER), (EQUAL, 0, 1, FLOCK)],
    "records": [
        (LOAD, 0, 0, NUMBER),
        (EQUAL, 0, 3, FCNTL),
        (LOAD, 0, 0, COMMAND),
        (EQUAL, 0, 1, fcntl.F_SETLK),
    ],
}


def main():
    kind, program = sys.argv[1], sys.argv[2:]
    steps = FILTERS[kind] + [(RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)]
    steps = (Instruction * len(steps))(*steps)
    filtering = Program(len(steps), steps)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for arguments in [
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(filtering), 0, 0),
    ]:
        if prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    os.execv(program[0], program)


main()
