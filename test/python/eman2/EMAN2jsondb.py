"""The place of EMAN2's module of this name: the constructor of its tasks."""


class JSTask:
    def __init__(self, command=None, data=None, options=None, user=None):
        self.taskid = None
        self.queuetime = None
        self.command = command
        self.data = data
        self.options = options
        self.user = user
        self.group = None
