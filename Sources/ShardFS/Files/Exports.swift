// Types of DurableFiles in this module's public interface: `import ShardFS` is all that a dependent needs.
@_exported public import struct DurableFiles.Errno
@_exported public import enum DurableFiles.SystemCall
@_exported public import protocol DurableFiles.SystemHook
