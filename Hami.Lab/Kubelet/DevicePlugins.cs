using System.Collections.Concurrent;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Net.Client;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.Lab.Kubelet;

/// <summary>A plugin that registered: the connection to its socket and the options it gave there.</summary>
internal sealed class PluginEndpoint : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly GrpcChannel _channel;

    public PluginEndpoint(string resource, GrpcChannel channel, DevicePluginOptions options)
    {
        _channel = channel;
        Resource = resource;
        Client = new(channel);
        Options = options;
        // Kept, because a disposed source gives no token any more.
        Stopped = _stop.Token;
    }

    public string Resource { get; }

    public DevicePlugin.DevicePluginClient Client { get; }

    public DevicePluginOptions Options { get; }

    public CancellationToken Stopped { get; }

    public void Dispose()
    {
        if (Stopped.IsCancellationRequested)
            return;
        _stop.Cancel();
        _channel.Dispose();
        _stop.Dispose();
    }
}

/// <summary>The device plugins of this node, and what each of them last said about its devices.</summary>
internal sealed partial class DevicePlugins(string folder, TimeProvider time, ILogger<DevicePlugins> log) : IAsyncDisposable
{
    private static readonly TimeSpan OptionsDeadline = TimeSpan.FromSeconds(10);

    // kubelet, devicemanager: endpointStopGracePeriod.
    private static readonly TimeSpan StopGrace = TimeSpan.FromMinutes(5);
    private readonly ConcurrentDictionary<string, Resource> _resources = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private readonly ConcurrentBag<Task> _watches = [];
    private readonly CancellationTokenSource _closing = new();

    private sealed record Resource(PluginEndpoint? Endpoint, IReadOnlyDictionary<string, Device> Devices, bool Alive, DateTimeOffset? LostAt = null);

    /// <summary>Called when the number of devices or of healthy ones may have changed.</summary>
    public Action Changed { get; set; } = static () => { };

    /// <summary>Capacity and healthy devices of every resource ever registered; one whose plugin stays away is 0, never absent.</summary>
    public IReadOnlyDictionary<string, (int Capacity, int Healthy)> Counts => _resources.ToDictionary(
        r => r.Key,
        r => (time.GetUtcNow() - r.Value.LostAt >= StopGrace ? 0 : r.Value.Devices.Count, r.Value.Alive ? r.Value.Devices.Values.Count(IsHealthy) : 0),
        StringComparer.Ordinal);

    public IReadOnlyDictionary<string, IReadOnlyList<string>> Registered => _resources.ToDictionary(
        r => r.Key,
        IReadOnlyList<string> (r) => [.. r.Value.Devices.Keys.Order(StringComparer.Ordinal)],
        StringComparer.Ordinal);

    public bool Knows(string resource) => _resources.ContainsKey(resource);

    /// <summary>Whether its plugin is registered and has listed its devices.</summary>
    public bool IsAlive(string resource) => _resources.GetValueOrDefault(resource) is { Alive: true };

    /// <summary>Remembers a resource of an earlier run: it has no devices until its plugin registers again.</summary>
    public void Remember(string resource) => _resources.TryAdd(resource, new(null, new Dictionary<string, Device>(StringComparer.Ordinal), Alive: false));

    /// <summary>The resource's plugin, null when none is registered.</summary>
    public PluginEndpoint? Endpoint(string resource) => _resources.GetValueOrDefault(resource)?.Endpoint;

    public IReadOnlyList<string> Healthy(string resource) =>
        _resources.GetValueOrDefault(resource) is { Alive: true } r
            ? [.. r.Devices.Values.Where(IsHealthy).Select(d => d.ID).Order(StringComparer.Ordinal)]
            : [];

    public long? NumaNode(string resource, string deviceId) =>
        _resources.GetValueOrDefault(resource)?.Devices.GetValueOrDefault(deviceId)?.Topology?.Nodes.FirstOrDefault()?.ID;

    /// <summary>Dials the plugin back and asks its options before Register returns, then listens to its devices.</summary>
    public async Task Register(RegisterRequest request, CancellationToken cancellationToken)
    {
        if (request.Version != "v1beta1")
            throw new RpcException(new(StatusCode.Unknown, $"requested API version \"{request.Version}\" is not supported by kubelet. Supported version is [\"v1beta1\"]"));
        if (!IsExtended(request.ResourceName))
            throw new RpcException(new(StatusCode.Unknown, $"the ResourceName \"{request.ResourceName}\" is invalid"));
        var socket = Path.Combine(folder, request.Endpoint);
        try
        {
            KubeletPaths.EnsureShort(socket);
        }
        catch (ArgumentException e)
        {
            throw new RpcException(new(StatusCode.InvalidArgument, e.Message));
        }

        var channel = Dial(socket);
        PluginEndpoint endpoint;
        try
        {
            var options = await new DevicePlugin.DevicePluginClient(channel).GetDevicePluginOptionsAsync(
                new Empty(),
                deadline: time.GetUtcNow().Add(OptionsDeadline).UtcDateTime,
                cancellationToken: cancellationToken);
            endpoint = new(request.ResourceName, channel, options);
        }
        catch (RpcException e)
        {
            channel.Dispose();
            throw new RpcException(new(StatusCode.Unknown, $"failed to dial device plugin with socketPath {socket}: {Words.Of(e)}"));
        }

        lock (_gate)
        {
            // What the plugin before said about its devices holds until the new one's first list.
            var known = _resources.GetValueOrDefault(request.ResourceName) ?? new(null, new Dictionary<string, Device>(StringComparer.Ordinal), Alive: false);
            _resources[request.ResourceName] = known with { Endpoint = endpoint };
        }
        Registers(log, request.ResourceName, request.Endpoint);
        _watches.Add(Task.Run(() => Listen(endpoint), CancellationToken.None));
    }

    public async ValueTask DisposeAsync()
    {
        // The streams of earlier plugins, too: one that registered again may have left its first stream open.
        await _closing.CancelAsync();
        await Task.WhenAll(_watches).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _closing.Dispose();
    }

    // A domain of one's own before the slash: kubernetes.io and bare names are the cluster's.
    private static bool IsExtended(string resource) =>
        resource.Split('/') is [{ Length: > 0 } domain, { Length: > 0 }] && !domain.EndsWith("kubernetes.io", StringComparison.Ordinal);

    private static bool IsHealthy(Device device) => device.Health == "Healthy";

    private static GrpcChannel Dial(string socket) => GrpcChannel.ForAddress(
        "http://localhost",
        new()
        {
            HttpHandler = new SocketsHttpHandler
            {
                UseProxy = false,
                ConnectCallback = async (_, cancellationToken) =>
                {
                    var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                    try
                    {
                        await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), cancellationToken);
                        return new NetworkStream(connection, ownsSocket: true);
                    }
                    catch
                    {
                        connection.Dispose();
                        throw;
                    }
                },
            },
            DisposeHttpClient = true,
            MaxReceiveMessageSize = 16 * 1024 * 1024,
        });

    private async Task Listen(PluginEndpoint endpoint)
    {
        var why = "its stream ended";
        try
        {
            using var over = CancellationTokenSource.CreateLinkedTokenSource(endpoint.Stopped, _closing.Token);
            using var stream = endpoint.Client.ListAndWatch(new Empty(), cancellationToken: over.Token);
            while (await stream.ResponseStream.MoveNext(over.Token))
                Heard(endpoint, stream.ResponseStream.Current.Devices);
        }
        catch (RpcException e)
        {
            why = Words.Of(e);
        }
        catch (OperationCanceledException)
        {
            why = "it was dropped";
        }
        catch (Exception e)
        {
            why = e.Message;
        }
        if (_closing.IsCancellationRequested)
            endpoint.Dispose();
        else
            Lost(endpoint, why);
    }

    // A list is whole, not a difference.
    private void Heard(PluginEndpoint endpoint, IEnumerable<Device> devices)
    {
        var list = new Dictionary<string, Device>(StringComparer.Ordinal);
        foreach (var device in devices)
            list[device.ID] = device;
        lock (_gate)
        {
            if (!_resources.TryGetValue(endpoint.Resource, out var known) || known.Endpoint != endpoint)
                return;
            _resources[endpoint.Resource] = known with { Devices = list, Alive = true, LostAt = null };
        }
        var healthy = list.Values.Count(IsHealthy);
        Lists(log, endpoint.Resource, list.Count, healthy);
        Changed();
    }

    // Recorded on a real kubelet: when an old plugin's stream ends, the kubelet drops whoever has registered since, too.
    private void Lost(PluginEndpoint endpoint, string why)
    {
        PluginEndpoint? current;
        lock (_gate)
        {
            if (!_resources.TryGetValue(endpoint.Resource, out var known))
                return;
            current = known.Endpoint;
            _resources[endpoint.Resource] = known with { Endpoint = null, Alive = false, LostAt = time.GetUtcNow() };
        }
        endpoint.Dispose();
        if (current is null)
            return;
        PluginIsLost(log, endpoint.Resource, why);
        current.Dispose();
        Changed();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "A plugin for {Resource} registered at {Socket}.")]
    private static partial void Registers(ILogger logger, string resource, string socket);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Resource} has {Count} devices, {Healthy} of them healthy.")]
    private static partial void Lists(ILogger logger, string resource, int count, int healthy);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The plugin for {Resource} is lost, its devices are unhealthy: {Why}.")]
    private static partial void PluginIsLost(ILogger logger, string resource, string why);
}
