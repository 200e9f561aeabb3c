namespace Hami.NodeAgent.Plumbing.Nvml;

/// <summary>What NVML answers (nvml.h, <c>nvmlReturn_t</c>), as far as we tell one from another.</summary>
internal enum NvmlResult
{
    Success = 0,
    Uninitialized = 1,
    InvalidArgument = 2,
    NotSupported = 3,
    NoPermission = 4,
    NotFound = 6,
    InsufficientSize = 7,
    DriverNotLoaded = 9,
    Timeout = 10,
    LibraryNotFound = 12,
    FunctionNotFound = 13,
    GpuIsLost = 15,
    ResetRequired = 16,
    InUse = 19,
    InsufficientResources = 23,
    Unknown = 999,
}

/// <summary>NVML said no; the message names the call and what it answered.</summary>
internal sealed class NvmlException(string call, NvmlResult result, string words)
    : Exception($"{call} answered {(int)result} ({words})")
{
    public NvmlResult Result => result;

    /// <summary>The driver went away, was exchanged or lost the card: what was opened before is of no use any more.</summary>
    public bool DriverIsGone => result is NvmlResult.Uninitialized or NvmlResult.DriverNotLoaded or NvmlResult.GpuIsLost or NvmlResult.Unknown;
}
