using System.Net;
using System.Threading.Channels;
using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Api.Releasing;

/// <summary>
/// Touches a refused pod when it fits again. kube-scheduler wakes pods by itself when another pod ends, but may hear of that
/// before we do, and then is refused once more for minutes.
/// </summary>
internal sealed partial class Waking(ClusterView view, WaitingPods waiting, IKubernetes kubernetes, ILogger<Waking> logger) : BackgroundService, ILogFollower
{
    // Only the newest gain counts.
    private readonly Channel<long> _gains = Channel.CreateBounded<long>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });

    private volatile ClusterLedger _ledger = ClusterLedger.Empty;

    /// <inheritdoc />
    public void Committed(ClusterLedger after, IReadOnlyList<Recorded> recorded)
    {
        _ledger = after;
        if (recorded.LastOrDefault(r => r.Event is NodeEvent.AllocationReleased or NodeEvent.AllocationShrunk or NodeEvent.DevicesRegistered or NodeEvent.DeviceUncordoned or QuotaEvent.QuotaChanged) is { } gain)
            _gains.Writer.TryWrite(gain.Position);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var position in _gains.Reader.ReadAllAsync(stoppingToken))
        {
            foreach (var ask in waiting.RefusedBefore(position))
            {
                if (NodeFit.FitsAny(ask, view.NodeNames.Select(n => view.Node(n)).OfType<NodeUse>(), _ledger.TermsFor(ask.Namespace)))
                    await TouchAsync(ask, position, stoppingToken);
            }
        }
    }

    private async Task TouchAsync(PodAsk ask, long position, CancellationToken cancellationToken)
    {
        var patch = new
        {
            metadata = new { uid = ask.Uid, annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [HamiKeys.Wake] = position.ToString() } },
        };
        try
        {
            await kubernetes.CoreV1.PatchNamespacedPodAsync(
                new V1Patch(patch, V1Patch.PatchType.MergePatch), ask.Name, ask.Namespace, cancellationToken: cancellationToken);
            LogWoken(logger, ask.Namespace, ask.Name, position);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.UnprocessableEntity)
        {
            // Gone, or another pod has its name: 422 says that the uid of the patch is not its own.
            waiting.Forget(ask.Uid);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // kube-scheduler's own flush remains.
            LogNotWoken(logger, ask.Namespace, ask.Name, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Namespace}/{Pod} fits since log position {Position}; woken.")]
    private static partial void LogWoken(ILogger logger, string @namespace, string pod, long position);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Namespace}/{Pod} fits, but could not be woken: {Why}")]
    private static partial void LogNotWoken(ILogger logger, string @namespace, string pod, string why);
}
