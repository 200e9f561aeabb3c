using System.CommandLine;

namespace Hami.NodeAgent.Plumbing;

/// <summary>The flag that says where this agent sees the driver's files: its libraries are there, NVML among them.</summary>
internal static class DriverRootFlag
{
    public static readonly Option<string> Option = new("--driver-root-ctr-path", "--container-driver-root")
    {
        Description = "Where the driver's root is mounted for this agent. Else DRIVER_ROOT_CTR_PATH.",
        DefaultValueFactory = _ => Variable("DRIVER_ROOT_CTR_PATH") ?? Variable("CONTAINER_DRIVER_ROOT") ?? "/driver-root",
    };

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
