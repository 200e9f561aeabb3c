extern alias lab;

using System.Collections.Concurrent;
using System.Net.Sockets;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using lab::Kubelet.DevicePlugin.V1Beta1;
using lab::Kubelet.PodResources.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Hami.Tests.Lab;

/// <summary>A device plugin that writes down every call it gets, and can be told to fail.</summary>
internal sealed class KubeletTestPlugin : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly List<string> _calls = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly WebApplication _server;
    private readonly string _socket;
    private volatile int _version;
    private int _disposed;

    private KubeletTestPlugin(string folder, string socket)
    {
        _socket = socket;
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = folder });
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(this);
        builder.WebHost.ConfigureKestrel(k => k.ListenUnixSocket(Path.Combine(folder, socket), s => s.Protocols = HttpProtocols.Http2));
        _server = builder.Build();
        _server.MapGrpcService<OnSocket>();
    }

    public const string Resource = "nvidia.com/gpu";

    /// <summary>Every call so far, in order, ids sorted: <c>Allocate g-0,g-1 | a1: c0=–</c>.</summary>
    public IReadOnlyList<string> Calls
    {
        get
        {
            lock (_gate)
                return [.. _calls];
        }
    }

    public string PodResourcesSocket { get; set; } = "";

    public IReadOnlyList<string> Devices { get; private set; } = [.. Enumerable.Range(0, 4).Select(i => $"g-{i}")];

    public Func<IReadOnlyList<string>, AllocateResponse> Answer { get; set; } =
        ids => new() { ContainerResponses = { new ContainerAllocateResponse { Envs = { ["GIVEN"] = string.Join(',', ids) } } } };

    public Func<ContainerPreferredAllocationRequest, IEnumerable<string>> Prefer { get; set; } = _ => [];

    public ConcurrentBag<int> PreStartDeadlines { get; } = [];

    public Action PreStart { get; set; } = static () => { };

    public static async Task<KubeletTestPlugin> Start(string folder, string socket = "gpu.sock")
    {
        var plugin = new KubeletTestPlugin(folder, socket);
        await plugin._server.StartAsync();
        return plugin;
    }

    public async Task Register(string folder)
    {
        using var channel = Dial(Path.Combine(folder, "kubelet.sock"));
        await new Registration.RegistrationClient(channel).RegisterAsync(
            new() { Version = "v1beta1", Endpoint = _socket, ResourceName = Resource, Options = new() },
            deadline: TimeProvider.System.GetUtcNow().AddSeconds(10).UtcDateTime);
        Log("Register answered");
    }

    public void Offer(params string[] devices)
    {
        Devices = devices;
        _version++;
    }

    public async Task<string> ListPodResources()
    {
        using var channel = Dial(PodResourcesSocket);
        var list = new Method<ListPodResourcesRequest, ListPodResourcesResponse>(
            MethodType.Unary,
            "v1.PodResourcesLister",
            "List",
            Marshallers.Create(m => m.ToByteArray(), ListPodResourcesRequest.Parser.ParseFrom),
            Marshallers.Create(m => m.ToByteArray(), ListPodResourcesResponse.Parser.ParseFrom));
        var answer = await channel.CreateCallInvoker().AsyncUnaryCall(list, null, default, new());
        return string.Join("; ", answer.PodResources.Select(p => $"{p.Name}: {string.Join(", ", p.Containers.Select(c => $"{c.Name}={Ids(c)}"))}"));

        static string Ids(ContainerResources container) =>
            container.Devices.Count == 0 ? "–" : string.Join(',', container.Devices.Select(d => Assert.Single(d.DeviceIds)).Order(StringComparer.Ordinal));
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        await _stop.CancelAsync();
        await _server.DisposeAsync();
        _stop.Dispose();
    }

    private static GrpcChannel Dial(string socket) => GrpcChannel.ForAddress("http://localhost", new()
    {
        HttpHandler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), cancellationToken);
                return new NetworkStream(connection, ownsSocket: true);
            },
        },
    });

    private static string Sorted(IEnumerable<string> ids) => string.Join(',', ids.Order(StringComparer.Ordinal));

    private void Log(string call)
    {
        lock (_gate)
            _calls.Add(call);
    }

    private sealed class OnSocket(KubeletTestPlugin plugin) : DevicePlugin.DevicePluginBase
    {
        public override Task<DevicePluginOptions> GetDevicePluginOptions(Empty request, ServerCallContext context)
        {
            var seconds = (context.Deadline - TimeProvider.System.GetUtcNow().UtcDateTime).TotalSeconds;
            plugin.Log($"GetDevicePluginOptions {Math.Round(seconds)} s to {context.Host}");
            return Task.FromResult(new DevicePluginOptions { PreStartRequired = true, GetPreferredAllocationAvailable = true });
        }

        public override async Task ListAndWatch(Empty request, IServerStreamWriter<ListAndWatchResponse> responseStream, ServerCallContext context)
        {
            plugin.Log("ListAndWatch");
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(plugin._stop.Token, context.CancellationToken);
            var sent = -1;
            while (!stop.IsCancellationRequested)
            {
                if (sent != plugin._version)
                {
                    sent = plugin._version;
                    await responseStream.WriteAsync(new()
                    {
                        Devices = { plugin.Devices.Select(d => new Device { ID = d.TrimEnd('!'), Health = d.EndsWith('!') ? "Unhealthy" : "Healthy" }) },
                    });
                }
                await Task.Delay(10, stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        public override Task<PreferredAllocationResponse> GetPreferredAllocation(PreferredAllocationRequest request, ServerCallContext context)
        {
            var container = Assert.Single(request.ContainerRequests);
            var must = container.MustIncludeDeviceIDs.Count > 0 ? $" with {Sorted(container.MustIncludeDeviceIDs)}" : "";
            plugin.Log($"GetPreferredAllocation {container.AllocationSize} of {Sorted(container.AvailableDeviceIDs)}{must}");
            return Task.FromResult(new PreferredAllocationResponse
            {
                ContainerResponses = { new ContainerPreferredAllocationResponse { DeviceIDs = { plugin.Prefer(container) } } },
            });
        }

        public override async Task<AllocateResponse> Allocate(AllocateRequest request, ServerCallContext context)
        {
            var ids = Assert.Single(request.ContainerRequests).DevicesIds;
            plugin.Log($"Allocate {Sorted(ids)} | {await plugin.ListPodResources()}");
            return plugin.Answer([.. ids]);
        }

        public override Task<PreStartContainerResponse> PreStartContainer(PreStartContainerRequest request, ServerCallContext context)
        {
            plugin.Log($"PreStartContainer {Sorted(request.DevicesIds)}");
            plugin.PreStartDeadlines.Add((int)Math.Round((context.Deadline - TimeProvider.System.GetUtcNow().UtcDateTime).TotalSeconds));
            plugin.PreStart();
            return Task.FromResult(new PreStartContainerResponse());
        }
    }
}
