using System.Collections.Immutable;
using Hami.Domain.Protocol;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Cluster;
using Hami.NodeAgent.Plumbing.Settings;

namespace Hami.NodeAgent.Registering;

/// <summary>Keeps the node's annotations <see cref="HamiKeys.NodeRegister"/> and <see cref="HamiKeys.NodeScore"/> equal to the cards; writes only what differs.</summary>
internal sealed partial class NodeRegistration(
    ApiServerClient api, AgentOptions options, CardInventory inventory, SettingsInForce settings, NodeLinks links, KubeletRegistration kubelet, TimeProvider time,
    ILogger<NodeRegistration> log) : BackgroundService
{
    private int failures;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(KeepPublished, time, log, stoppingToken);

    private async Task KeepPublished(CancellationToken stoppingToken)
    {
        // Not to be mistaken for a node without cards.
        await inventory.Known.WaitAsync(stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            var (cards, changed) = inventory.Watch();
            var (shared, otherwise) = settings.Watch();
            // HAMi publishes a node only once its kubelet knows the plugin: a pod placed earlier would be rejected there for good.
            if (!cards.IsEmpty && !kubelet.FirstRegistered.IsCompleted)
            {
                await Task.WhenAny(kubelet.FirstRegistered, changed).WaitAsync(stoppingToken);
                continue;
            }
            await Task.WhenAny(changed, otherwise, Task.Delay(await TryPublish(cards, shared, stoppingToken), time, stoppingToken));
        }
    }

    // Whatever is on the node by then: what somebody took away or wrote over is put right at the next look.
    private async Task<TimeSpan> TryPublish(ImmutableArray<Card> cards, NodeSettings shared, CancellationToken stopping)
    {
        try
        {
            await Bounded.Call(TimeSpan.FromSeconds(15), c => Publish(cards, shared, c), stopping);
            if (failures > 0)
                LogBack(options.NodeName);
            failures = 0;
            return options.LookAtNode;
        }
        catch (Exception e) when (Outage.Is(e, stopping))
        {
            if (failures++ == 0)
                LogFailed(options.NodeName, e.Message);
            return Outage.BackOff(failures - 1, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5));
        }
    }

    private async Task<bool> Publish(ImmutableArray<Card> cards, NodeSettings shared, CancellationToken cancellation)
    {
        var node = await api.ReadNodeAsync(options.NodeName, cancellation);
        var text = cards.IsEmpty ? null : Publication.Text(cards, shared);
        if (RegisterPatch.Between(node.Metadata.Annotations, text, links.Text(cards)) is not { } patch)
            return false;
        await api.PatchNodeAsync(options.NodeName, patch, cancellation);
        LogPublished(options.NodeName, text ?? "no cards");
        return true;
    }

    [LoggerMessage(LogLevel.Information, "Node {Node} publishes {Devices}")]
    private partial void LogPublished(string node, string devices);

    [LoggerMessage(LogLevel.Warning, "The register annotation of node {Node} could not be checked or written ({Reason}); this is tried again every few seconds")]
    private partial void LogFailed(string node, string reason);

    [LoggerMessage(LogLevel.Information, "The register annotation of node {Node} could be checked again")]
    private partial void LogBack(string node);
}
