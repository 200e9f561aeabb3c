using System.Globalization;
using System.Text;

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
    /// <param name="fitting">Those that do and their scores, the best last.</param>
    public static PodEventText FilteringSucceeded(string node, int unfit, IReadOnlyList<(string Node, double Score)> fitting)
    {
        // The best is what a reader looks for: of a long list, it is the beginning that is left out.
        var listed = new List<string>();
        var length = 0;
        for (var i = fitting.Count - 1; i >= 0 && length < LongestMessage / 2; i--)
        {
            listed.Add(string.Create(CultureInfo.InvariantCulture, $"{fitting[i].Node}:{fitting[i].Score:F2}"));
            length += listed[^1].Length + 1;
        }
        if (listed.Count < fitting.Count)
            listed.Add("…");
        listed.Reverse();
        return new("FilteringSucceed", PodEventType.Normal, $"find fit node({node}), {unfit} nodes not fit, {fitting.Count} nodes fit({string.Join(',', listed)})");
    }

    /// <summary>No node fits: one event per reason that stands as <c>n/m Reason</c> in the nodes' texts, and one that sums up.</summary>
    /// <param name="failedNodes">The texts as kube-scheduler got them, by node.</param>
    /// <param name="offered">Number of nodes offered.</param>
    public static IEnumerable<PodEventText> FilteringFailed(IEnumerable<KeyValuePair<string, string>> failedNodes, int offered)
    {
        var nodesByReason = new SortedDictionary<string, List<string>>(StringComparer.Ordinal);
        foreach (var (node, text) in failedNodes)
        {
            foreach (var part in text.Split(", "))
            {
                if (ReasonOf(part) is not { } reason)
                    continue;
                if (!nodesByReason.TryGetValue(reason, out var nodes))
                    nodesByReason[reason] = nodes = [];
                if (nodes.Count == 0 || nodes[^1] != node)
                    nodes.Add(node);
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

    /// <summary><c>Reason</c> of <c>n/m Reason</c>; null for another text.</summary>
    private static string? ReasonOf(string part)
    {
        var space = part.IndexOf(' ');
        var slash = part.IndexOf('/');
        return slash > 0 && space > slash + 1 && IsNumber(part.AsSpan(0, slash)) && IsNumber(part.AsSpan(slash + 1, space - slash - 1))
            ? part[(space + 1)..]
            : null;
    }

    private static bool IsNumber(ReadOnlySpan<char> text) => !text.ContainsAnyExceptInRange('0', '9');

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
