using System.Globalization;
using System.Text;
using Hami.Domain.Placing;

namespace Hami.Api.Plumbing.Telling;

/// <summary>HAMi's reasons and messages of events on a pod, which dashboards and people search for.</summary>
internal static class PodEventWords
{
    /// <summary>As many characters as <c>events.k8s.io/v1</c> allows; longer lists of nodes end in an ellipsis.</summary>
    public const int LongestMessage = 1024;

    private const string Filtering = "FilteringFailed";
    private const string Binding = "BindingFailed";

    /// <summary>The node was chosen.</summary>
    /// <param name="unfit">Number of nodes that do not fit.</param>
    /// <param name="fitting">Number of nodes that do.</param>
    /// <param name="best">The best of them and their scores, the best last.</param>
    public static PodEventText FilteringSucceeded(string node, int unfit, int fitting, IReadOnlyList<(string Node, double Score)> best)
    {
        // The best is what a reader looks for: of a long list, it is the beginning that is left out.
        var listed = new List<string>();
        var length = 0;
        for (var i = best.Count - 1; i >= 0 && length < LongestMessage / 2; i--)
        {
            listed.Add(string.Create(CultureInfo.InvariantCulture, $"{best[i].Node}:{best[i].Score:F2}"));
            length += listed[^1].Length + 1;
        }
        if (listed.Count < fitting)
            listed.Add("…");
        listed.Reverse();
        return new("FilteringSucceed", PodEventType.Normal, $"find fit node({node}), {unfit} nodes not fit, {fitting} nodes fit({string.Join(',', listed)})");
    }

    /// <summary>No node fits: one event per reason of cards, and one that sums up.</summary>
    /// <param name="offered">Number of nodes offered.</param>
    public static IEnumerable<PodEventText> FilteringFailed(RefusedNodes refused, int offered)
    {
        var nodesByReason = new SortedDictionary<string, List<string>>(StringComparer.Ordinal);
        foreach (var node in refused.Nodes)
        {
            // HAMi says nothing of a reason of whole nodes.
            foreach (var (reason, _) in node.Reasons.Counts.Where(c => c.Reason is not CardRefusal.NodeInsufficientDevice))
            {
                if (!nodesByReason.TryGetValue(reason.ToString(), out var nodes))
                    nodesByReason[reason.ToString()] = nodes = [];
                nodes.Add(node.Node);
            }
        }
        foreach (var (reason, nodes) in nodesByReason)
        {
            nodes.Sort(StringComparer.Ordinal);
            yield return new(Filtering, PodEventType.Warning, $"{nodes.Count} nodes {reason}({Listed(nodes)})");
        }
        yield return new(Filtering, PodEventType.Warning, $"no available node, {offered} nodes do not meet");
    }

    /// <summary>The filter itself failed.</summary>
    public static PodEventText FilteringFailed(string why) => new(Filtering, PodEventType.Warning, Cut(why));

    public static PodEventText BindingSucceeded(string node, string podNamespace, string pod) =>
        new("BindingSucceed", PodEventType.Normal, $"Successfully binding node [{node}] to {podNamespace}/{pod}");

    public static PodEventText BindingFailed(string why) => new(Binding, PodEventType.Warning, Cut(why));

    /// <summary>The node is not there to be bound to.</summary>
    public static PodEventText BindingFailedWithoutNode(string node) => BindingFailed($"failed to get node {node}");

    private static string Listed(List<string> nodes)
    {
        var text = new StringBuilder();
        foreach (var node in nodes)
        {
            if (text.Length + node.Length > LongestMessage - 100)
                return text.Append(",…").ToString();
            if (text.Length > 0)
                text.Append(',');
            text.Append(node);
        }
        return text.ToString();
    }

    private static string Cut(string text) => text.Length <= LongestMessage ? text : string.Concat(text.AsSpan(0, LongestMessage - 1), "…");
}
