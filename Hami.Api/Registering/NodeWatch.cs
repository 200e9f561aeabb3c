using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Ledger;
using Hami.Domain.Protocol;
using Hami.Domain.Registering;
using k8s;
using k8s.Models;

namespace Hami.Api.Registering;

/// <summary>Follows the register annotation of the cluster's nodes.</summary>
internal sealed partial class NodeWatch(IKubernetes kubernetes, Journal journal, Readiness readiness, TimeProvider time, ILogger<NodeWatch> logger)
    : ListWatch<V1Node>(time, logger)
{
    protected override async Task<(IList<V1Node> Items, string ResourceVersion)> ListAsync(CancellationToken cancellationToken)
    {
        await journal.Loaded.WaitAsync(cancellationToken);
        var list = await kubernetes.CoreV1.ListNodeAsync(cancellationToken: cancellationToken);
        return (list.Items, list.ResourceVersion());
    }

    protected override IAsyncEnumerable<(WatchEventType Type, V1Node Object)> WatchAsync(string resourceVersion, CancellationToken cancellationToken) =>
        kubernetes.CoreV1.WatchListNodeAsync(resourceVersion: resourceVersion, allowWatchBookmarks: true, cancellationToken: cancellationToken);

    protected override async Task ListedAsync(IList<V1Node> items, CancellationToken cancellationToken)
    {
        await Task.WhenAll(items.Select(node => RegisterAsync(node, cancellationToken)));
        readiness.NodesListed();
    }

    protected override Task ChangedAsync(WatchEventType type, V1Node item, CancellationToken cancellationToken) =>
        type is WatchEventType.Deleted ? Task.CompletedTask : RegisterAsync(item, cancellationToken);

    private async Task RegisterAsync(V1Node node, CancellationToken cancellationToken)
    {
        // A missing annotation changes nothing: the pods on the node still hold what they hold.
        if (node.GetAnnotation(HamiKeys.NodeRegister) is not { } text)
            return;
        RegisterDevices command;
        try
        {
            command = new(node.Name(), NodeRegister.Decode(text));
        }
        catch (FormatException e)
        {
            LogUnreadable(logger, node.Name(), e.Message);
            return;
        }
        await journal.DecideAsync(
            Streams.Node(command.Node), ledger => RegisterDevicesDecider.Decide(command, ledger.Node(command.Node)), cancellationToken);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Node {Node} keeps the cards known before: {Why}")]
    private static partial void LogUnreadable(ILogger logger, string node, string why);
}
