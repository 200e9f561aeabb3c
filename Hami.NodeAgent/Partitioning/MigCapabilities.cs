using System.Collections.Immutable;
using System.Globalization;

namespace Hami.NodeAgent.Partitioning;

/// <summary>The device nodes that guard MIG instances, as the driver lists them in <c>/proc/driver/nvidia-caps/mig-minors</c>.</summary>
internal sealed record MigCapabilities(ImmutableDictionary<string, int> Minors)
{
    public static readonly MigCapabilities None = new(ImmutableDictionary<string, int>.Empty);

    /// <summary>Empty where there is no such file: older drivers have none.</summary>
    /// <param name="proc">Where the machine's procfs is.</param>
    public static MigCapabilities Read(string proc)
    {
        try
        {
            return Parse(File.ReadAllText(Path.Combine(proc, "driver", "nvidia-caps", "mig-minors")));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return None;
        }
    }

    /// <summary>Lines such as <c>gpu0/gi1/ci0/access 12</c>; others are skipped.</summary>
    public static MigCapabilities Parse(string text) => new(
        text.Split('\n').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            .Where(words => words.Length == 2 && IsName(words[0]) && int.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out _))
            .DistinctBy(words => words[0])
            .ToImmutableDictionary(words => words[0], words => int.Parse(words[1], CultureInfo.InvariantCulture), StringComparer.Ordinal));

    /// <summary>The node of a GPU instance, or of a compute instance in it; null when the driver lists none.</summary>
    /// <param name="card">The number in <c>/dev/nvidia&lt;number&gt;</c>.</param>
    public string? Of(int card, int gpuInstance, int? computeInstance) =>
        Minors.TryGetValue($"gpu{card}/gi{gpuInstance}/{(computeInstance is { } ci ? $"ci{ci}/" : "")}access", out var minor) ? $"/dev/nvidia-caps/nvidia-cap{minor}" : null;

    private static bool IsName(string name) => name is "config" or "monitor" || name.Split('/') switch
    {
        [var gpu, var gi, "access"] => IsNumbered(gpu, "gpu") && IsNumbered(gi, "gi"),
        [var gpu, var gi, var ci, "access"] => IsNumbered(gpu, "gpu") && IsNumbered(gi, "gi") && IsNumbered(ci, "ci"),
        _ => false,
    };

    private static bool IsNumbered(string part, string word) =>
        part.StartsWith(word, StringComparison.Ordinal) && int.TryParse(part.AsSpan(word.Length), NumberStyles.None, CultureInfo.InvariantCulture, out _);
}
