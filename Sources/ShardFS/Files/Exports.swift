// The DurableFiles types in this module's public interface, so that dependents need only `import ShardFS`.
@_exported public import struct DurableFiles.Errno
@_exported public import enum DurableFiles.SystemCall
@_exported public import protocol DurableFiles.SystemHook
