using System.Globalization;
using System.Text;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Settings;

namespace Hami.NodeAgent.Allocating;

/// <summary>What the library in a container reads about its share (Hami.Interceptor, *The limits file*); one without its last line grants nothing.</summary>
internal static class LimitsFile
{
    public static string Text(ContainerShare container, AgentOptions options, NodeSettings settings)
    {
        var text = new StringBuilder("hami-limits 1\n");
        // The scheduler can give two shares of one card; to the library a card is one budget.
        foreach (var card in container.Devices.GroupBy(d => d.Uuid, StringComparer.Ordinal))
            text.Append(CultureInfo.InvariantCulture, $"card {card.Key} memory {card.Sum(d => d.MemoryMiB) << 20} cores {Cores(card.Select(d => d.Cores))}\n");
        text.Append(CultureInfo.InvariantCulture, $"policy {CorePolicy(container.CorePolicy, settings)}\n");
        text.Append(CultureInfo.InvariantCulture, $"priority {container.Priority}\n");
        // No region: the one beside the library, which is where the agent mounts it.
        text.Append(CultureInfo.InvariantCulture, $"agent {options.AgentSocket}\n");
        text.Append(CultureInfo.InvariantCulture, $"oversubscribe {(settings.MemoryScaling > 1 ? "true" : "false")}\n");
        return text.Append("end\n").ToString();
    }

    /// <summary>The node's policy; a container may only ask for the stricter.</summary>
    public static string CorePolicy(string? wanted, NodeSettings settings) => wanted == "force" ? "force" : settings.DisableCoreLimit ? "disable" : "default";

    // 0 is no limit, as in HAMi.
    private static int Cores(IEnumerable<int> shares) => shares.Any(c => c is <= 0 or >= 100) ? 0 : Math.Min(100, shares.Sum()) % 100;
}
