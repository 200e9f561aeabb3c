using Hami.Domain.Protocol;
using Hami.NodeAgent.Plumbing.Cluster;

namespace Hami.NodeAgent.Registering;

/// <summary>What has to be written so that a node says what it should.</summary>
internal static class RegisterPatch
{
    // Tells the scheduler that this node needs no turns: HAMi's plugin would find its pod only by the node's lock.
    private static readonly string Version = typeof(RegisterPatch).Assembly.GetName().Version!.ToString(3);

    /// <summary>One merge patch with what differs; null when nothing does.</summary>
    /// <param name="are">The node's annotations.</param>
    /// <param name="cards">Null for a node without cards: an annotation that stayed would have pods placed there.</param>
    /// <param name="scores">Null when none are published.</param>
    public static string? Between(IReadOnlyDictionary<string, string>? are, string? cards, string? scores)
    {
        var wanted = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            [HamiKeys.NodeRegister] = cards,
            [HamiKeys.NodeScore] = scores,
            [HamiKeys.NodeAgent] = Version,
        };
        var differs = wanted.Where(w => Is(w.Key) != w.Value).ToDictionary(StringComparer.Ordinal);
        return differs.Count == 0 ? null : MergePatch.Annotations(differs);

        string? Is(string key) => are?.GetValueOrDefault(key);
    }
}
