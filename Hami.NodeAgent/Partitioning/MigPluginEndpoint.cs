using Grpc.Core;
using Hami.NodeAgent.Plumbing;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.NodeAgent.Partitioning;

/// <summary>The kubelet's device plugin service for static MIG devices of one profile: no scheduler chose them, the kubelet does.</summary>
/// <param name="closing">The socket is being closed; streams end.</param>
internal sealed class MigPluginEndpoint(string resource, MigHanding handing, PluginStreams streams, CancellationToken closing) : DevicePlugin.DevicePluginBase
{
    public static DevicePluginOptions Offers => new();

    public override Task<DevicePluginOptions> GetDevicePluginOptions(Empty request, ServerCallContext context) => Task.FromResult(Offers);

    public override async Task ListAndWatch(Empty request, IServerStreamWriter<ListAndWatchResponse> responseStream, ServerCallContext context)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, closing);
        streams.Enter();
        try
        {
            while (true)
            {
                var (list, changed) = handing.Watch(resource);
                await responseStream.WriteAsync(new ListAndWatchResponse { Devices = { list } }, end.Token);
                await changed.WaitAsync(end.Token);
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

    public override Task<AllocateResponse> Allocate(AllocateRequest request, ServerCallContext context) => Task.FromResult(
        handing.Answer(request) ?? throw new RpcException(new Status(StatusCode.Internal, $"The kubelet asks for devices of {resource} that are no MIG devices; create the pod again.")));
}
