namespace Hami.Domain.Protocol;

/// <summary>The <c>nvidia:</c> section of HAMi's device configuration, as far as the control plane acts on it.</summary>
/// <param name="ResourceNames">What pods ask cards with.</param>
/// <param name="OverwriteEnv">Whether containers that ask for no card get <c>NVIDIA_VISIBLE_DEVICES=none</c>.</param>
/// <param name="DefaultMemoryMiB">Device memory in MiB of a container that names none; 0 means all of the card.</param>
/// <param name="DefaultCores">Percent of a card's compute of a container that names none.</param>
/// <param name="DefaultGpuCount">Cards of a container that asks memory or cores but no count; 0 leaves it without.</param>
/// <param name="MemoryFactor">MiB that one unit of the memory resource stands for, also in quotas.</param>
/// <param name="GpuCorePolicy">How the containers' library limits compute.</param>
/// <param name="RuntimeClassName">Runtime class of pods that ask for cards and name none; empty for none.</param>
/// <param name="MigProfileAllowlist">MIG profiles that may be made, by card model.</param>
public sealed record NvidiaConfig(
    ResourceNames ResourceNames, bool OverwriteEnv, int DefaultMemoryMiB, int DefaultCores, int DefaultGpuCount, int MemoryFactor,
    GpuCorePolicy GpuCorePolicy, string RuntimeClassName, IReadOnlyList<MigProfileAllowance> MigProfileAllowlist)
{
    /// <summary>The values HAMi v2.10 ships.</summary>
    public static readonly NvidiaConfig Hami = new(
        ResourceNames.Nvidia, OverwriteEnv: false, DefaultMemoryMiB: 0, DefaultCores: 0, DefaultGpuCount: 1, MemoryFactor: 1,
        GpuCorePolicy.Default, RuntimeClassName: "",
        [
            new(["A30"], ["1g.6gb", "2g.12gb", "4g.24gb"]),
            new(["A100-SXM4-40GB", "A100-40GB-PCIe", "A100-PCIE-40GB"], ["1g.5gb", "2g.10gb", "3g.20gb", "7g.40gb"]),
            new(["A100-SXM4-80GB", "A100-80GB-PCIe", "A100-PCIE-80GB"], ["1g.10gb", "2g.20gb", "3g.40gb", "7g.79gb"]),
            new(["H100-PCIE-80GB", "H100-SXM5-80GB"], ["1g.10gb", "2g.20gb", "3g.40gb", "7g.80gb"]),
            new(["H100-PCIE-94GB", "H100-SXM5-94GB"], ["1g.12gb", "2g.24gb", "3g.47gb", "7g.94gb"]),
            new(["H20", "H100 on GH200"], ["1g.12gb", "2g.24gb", "3g.48gb", "7g.96gb"]),
            new(["H200 NVL", "H200-SXM5"], ["1g.18gb", "2g.35gb", "3g.71gb", "7g.141gb"]),
            new(["B200"], ["1g.23gb", "2g.45gb", "3g.90gb", "7g.180gb"]),
            new(["RTX PRO 6000 Blackwell Server Edition"], ["1g.24gb", "2g.48gb", "4g.96gb"]),
        ]);
}

/// <summary>MIG profiles that may be made on some models.</summary>
/// <param name="Models">Words of which one is part of the card's product name.</param>
/// <param name="Profiles">Profiles by NVML's name, such as <c>1g.10gb</c>.</param>
public sealed record MigProfileAllowance(IReadOnlyList<string> Models, IReadOnlyList<string> Profiles);

/// <summary>How the library in the container limits compute.</summary>
public enum GpuCorePolicy
{
    /// <summary>While others share the card.</summary>
    Default,

    /// <summary>Always.</summary>
    Force,

    /// <summary>Never.</summary>
    Disable,
}

public static class GpuCorePolicyWords
{
    /// <summary>The word in the configuration and in <c>GPU_CORE_UTILIZATION_POLICY</c>.</summary>
    public static string Word(this GpuCorePolicy policy) => policy switch
    {
        GpuCorePolicy.Default => "default",
        GpuCorePolicy.Force => "force",
        GpuCorePolicy.Disable => "disable",
        _ => throw new ArgumentOutOfRangeException(nameof(policy), policy, "No word for this policy."),
    };
}
