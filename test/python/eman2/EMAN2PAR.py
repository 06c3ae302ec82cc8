"""The place of EMAN2's module of this name, which refuses ``dc`` targets as EMAN2's does now."""


class EMTaskCustomer:
    def __init__(self, target, module=None):
        self.servtype = target.split(":")[0]
        if self.servtype == "dc":
            raise Exception("Only 'thread' and 'mpi' servertypes are supported")
