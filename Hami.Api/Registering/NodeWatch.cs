using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Ledger;
using Hami.Domain.Protocol;
using Hami.Domain.Registering;
using k8s;
using k8s.Models;

namespace Hami.Api.Registering;

/// <summary>Follows the register annotation of the cluster's nodes.</summary>
/// <remarks>With <c>--node-label-selector</c> a node that has not its labels, or loses them, is none of ours.</remarks>
internal sealed partial class NodeWatch(
    IKubernetes kubernetes, ClusterOptions cluster, Journal journal, SeenNodes nodes, HostRooms hosts, Readiness readiness, FollowedLog log, TimeProvider time, ILogger<NodeWatch> logger)
    : ListWatch<V1Node>(log, time, logger)
{
    private readonly string? _selector = cluster.NodeSelector is { Length: > 0 } selector ? selector : null;

    protected override async Task<(IList<V1Node> Items, string ResourceVersion)> ListAsync(CancellationToken cancellationToken)
    {
        await journal.Loaded.WaitAsync(cancellationToken);
        var list = await kubernetes.CoreV1.ListNodeAsync(labelSelector: _selector, cancellationToken: cancellationToken);
        return (list.Items, list.ResourceVersion());
    }

    protected override IAsyncEnumerable<(WatchEventType Type, V1Node Object)> WatchAsync(string resourceVersion, CancellationToken cancellationToken) =>
        WatchStream.Of<V1Node>(kubernetes, "api/v1/nodes", resourceVersion, cancellationToken, labelSelector: _selector);

    protected override async Task ListedAsync(IList<V1Node> items, CancellationToken cancellationToken)
    {
        var listed = items.Select(n => n.Name()).ToHashSet(StringComparer.Ordinal);
        var gone = journal.Ledger.Nodes.Keys.Concat(nodes.Names).Where(n => !listed.Contains(n)).Distinct(StringComparer.Ordinal).ToList();
        await Task.WhenAll([.. gone.Select(n => LeftAsync(n, cancellationToken)), .. items.Select(n => SeenAsync(n, cancellationToken))]);
        readiness.NodesListed();
    }

    protected override Task ChangedAsync(WatchEventType type, V1Node item, CancellationToken cancellationToken) =>
        type is WatchEventType.Deleted ? LeftAsync(item.Name(), cancellationToken) : SeenAsync(item, cancellationToken);

    private async Task SeenAsync(V1Node node, CancellationToken cancellationToken)
    {
        nodes.See(node.Name(), NodeFacts.Of(node));
        await RegisterAsync(node, cancellationToken);
        hosts.See(node);
        if (node.GetAnnotation(HamiKeys.DeviceCordon) is var text && (text is not null || journal.Ledger.Node(node.Name()).Cordoned.Count > 0))
            await DecideAsync(node.Name(), ledger => CordonDevicesDecider.Decide(new(Cordon.Decode(text)), ledger), cancellationToken);
    }

    private Task<Verdict<NodeEvent>> LeftAsync(string node, CancellationToken cancellationToken)
    {
        nodes.Forget(node);
        hosts.Forget(node);
        return RemoveAsync(
            node, _selector is null ? "the node left the cluster" : $"the node left the cluster, or has not the labels {_selector}", cancellationToken);
    }

    /// <summary>Nothing new is placed there; the pods on it hold what they hold.</summary>
    private Task<Verdict<NodeEvent>> RemoveAsync(string node, string why, CancellationToken cancellationToken) =>
        DecideAsync(node, ledger => RemoveNodeDecider.Decide(new(node, why), ledger), cancellationToken);

    private async Task RegisterAsync(V1Node node, CancellationToken cancellationToken)
    {
        var name = node.Name();
        if (node.GetAnnotation(HamiKeys.NodeRegister) is not { } text)
        {
            if (journal.Ledger.Node(name).Cards.Count > 0)
                await RemoveAsync(name, "its agent publishes no cards any more", cancellationToken);
            return;
        }
        try
        {
            var links = node.GetAnnotation(HamiKeys.NodeScore) is { } scores ? NodeScores.Decode(scores) : [];
            var command = new RegisterDevices(name, NodeRegister.Decode(text), links);
            await DecideAsync(name, ledger => RegisterDevicesDecider.Decide(command, ledger), cancellationToken);
        }
        catch (FormatException e)
        {
            LogUnreadable(logger, name, e.Message);
        }
    }

    private Task<Verdict<NodeEvent>> DecideAsync(string node, Func<NodeLedger, Verdict<NodeEvent>> decide, CancellationToken cancellationToken) =>
        journal.DecideAsync(Streams.Node(node), ledger => decide(ledger.Node(node)), cancellationToken);

    [LoggerMessage(Level = LogLevel.Error, Message = "Node {Node} keeps the cards known before: {Why}")]
    private static partial void LogUnreadable(ILogger logger, string node, string why);
}
