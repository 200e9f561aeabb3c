using Grpc.Core;
using Hami.NodeAgent.Partitioning;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Settings;
using Hami.NodeAgent.Registering;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.NodeAgent.Allocating;

/// <summary>The kubelet's device plugin service, v1beta1.</summary>
/// <param name="closing">The socket is being closed; streams end.</param>
internal sealed partial class DevicePluginEndpoint(
    Allocation allocation, StartCheck startCheck, CardInventory inventory, PluginStreams streams, SettingsInForce settings, MigHanding mig, AgentOptions options,
    ILogger<DevicePluginEndpoint> log, CancellationToken closing) : DevicePlugin.DevicePluginBase
{
    public static DevicePluginOptions Options(NodeSettings settings) =>
        new() { PreStartRequired = true, GetPreferredAllocationAvailable = settings.PreferredAllocation };

    public override Task<DevicePluginOptions> GetDevicePluginOptions(Empty request, ServerCallContext context) => Task.FromResult(Options(settings.Current));

    public override async Task ListAndWatch(Empty request, IServerStreamWriter<ListAndWatchResponse> responseStream, ServerCallContext context)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, closing);
        streams.Enter();
        ListAndWatchResponse? told = null;
        try
        {
            while (true)
            {
                var (cards, changed) = inventory.Watch();
                var (shared, otherwise) = settings.Watch();
                // Where MIG devices stand for cards there are no cards.
                var (instead, others) = mig.Watch(options.ResourceName);
                var list = Replicas.List(cards, shared);
                list.Devices.Add(instead);
                if (!list.Equals(told))
                    await responseStream.WriteAsync(told = list, end.Token);
                await Task.WhenAny(changed, otherwise, others).WaitAsync(end.Token);
            }
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // The kubelet or we are going; the end of the stream says it all.
        }
        finally
        {
            streams.Leave();
        }
    }

    public override async Task<PreferredAllocationResponse> GetPreferredAllocation(PreferredAllocationRequest request, ServerCallContext context)
    {
        var answer = new PreferredAllocationResponse();
        try
        {
            // The kubelet asks for one container at a time; to guess further ahead would only be a worse hint.
            if (request.ContainerRequests is [var ask] && !ask.AvailableDeviceIDs.Any(StaticMigDevices.IsMig)
                && await allocation.Prefer(ask, context.CancellationToken) is { Count: > 0 } ids)
                answer.ContainerResponses.Add(new ContainerPreferredAllocationResponse { DeviceIDs = { ids } });
        }
#pragma warning disable CA1031 // An error here would reject the pod, though a hint is all that is asked (kubelet 1.36, tried).
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogNoHint(e.Message);
        }
        return answer;
    }

    // Not cancelled with the call: half an allocation helps nobody, and everything inside is bounded.
    public override Task<AllocateResponse> Allocate(AllocateRequest request, ServerCallContext context) =>
        mig.Answer(request) is { } given ? Task.FromResult(given) : allocation.Allocate(request, CancellationToken.None);

    public override async Task<PreStartContainerResponse> PreStartContainer(PreStartContainerRequest request, ServerCallContext context)
    {
        // Static MIG devices are nobody's in particular.
        if (!request.DevicesIds.Any(StaticMigDevices.IsMig))
            foreach (var (pod, container) in await startCheck.Check(request.DevicesIds, context.CancellationToken))
                await mig.See(pod, container, context.CancellationToken);
        return new();
    }

    [LoggerMessage(LogLevel.Warning, "No preference for this container's devices: {Reason}")]
    private partial void LogNoHint(string reason);
}
