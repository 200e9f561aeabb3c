using System.Text.Json;
using Hami.Domain.Protocol;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Settings;
using k8s;
using k8s.Models;

namespace Hami.NodeAgent.Registering;

/// <summary>Keeps the node's annotation <see cref="HamiKeys.NodeRegister"/> equal to the cards; writes only what differs.</summary>
internal sealed partial class NodeRegistration(
    IKubernetes kubernetes, AgentOptions options, CardInventory inventory, SettingsInForce settings, KubeletRegistration kubelet, TimeProvider time, ILogger<NodeRegistration> log)
    : BackgroundService
{
    // Tells the scheduler that this node needs no turns: HAMi's plugin would find its pod only by the node's lock.
    private static readonly string Version = typeof(NodeRegistration).Assembly.GetName().Version!.ToString(3);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(KeepPublished, time, log, stoppingToken);

    private async Task KeepPublished(CancellationToken stoppingToken)
    {
        // HAMi publishes a node only once its kubelet knows the plugin: a pod placed earlier would be rejected there for good.
        await kubelet.FirstRegistered.WaitAsync(stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            var (cards, changed) = inventory.Watch();
            var wait = TimeSpan.FromSeconds(30);
            try
            {
                await Bounded.Call(TimeSpan.FromSeconds(15), c => Publish(Publication.Text(cards, settings.Current), c), stoppingToken);
            }
            catch (Exception e) when (Outage.Is(e, stoppingToken))
            {
                LogFailed(options.NodeName, e.Message);
                wait = TimeSpan.FromSeconds(5);
            }
            await Task.WhenAny(changed, Task.Delay(wait, time, stoppingToken));
        }
    }

    private async Task<bool> Publish(string text, CancellationToken cancellation)
    {
        var node = await kubernetes.CoreV1.ReadNodeAsync(options.NodeName, cancellationToken: cancellation);
        if (node.GetAnnotation(HamiKeys.NodeRegister) == text && node.GetAnnotation(HamiKeys.NodeAgent) == Version)
            return false;
        var patch = JsonSerializer.Serialize(new
        {
            metadata = new { annotations = new Dictionary<string, string> { [HamiKeys.NodeRegister] = text, [HamiKeys.NodeAgent] = Version } },
        });
        await kubernetes.CoreV1.PatchNodeAsync(new V1Patch(patch, V1Patch.PatchType.MergePatch), options.NodeName, cancellationToken: cancellation);
        LogPublished(options.NodeName, text);
        return true;
    }

    [LoggerMessage(LogLevel.Information, "Node {Node} publishes {Devices}")]
    private partial void LogPublished(string node, string devices);

    [LoggerMessage(LogLevel.Warning, "The register annotation of node {Node} could not be checked or written ({Reason}); trying again in 5 s")]
    private partial void LogFailed(string node, string reason);
}
