using Grpc.Core;
using Hami.NodeAgent.Plumbing;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.NodeAgent.Registering;

/// <summary>
/// Keeps the socket of one resource open and the kubelet told about it: at the start, after every start of the kubelet (which
/// removes the sockets in its folder), and whenever the kubelet has let go of us.
/// </summary>
/// <remarks>
/// A plugin that comes late after a kubelet restart costs running pods their life
/// (<c>UnexpectedAdmissionError: no healthy devices present</c>), so a file event wakes this loop; the slow look is for lost events.
/// </remarks>
/// <param name="open">Opens the resource's socket.</param>
/// <param name="streams">The ListAndWatch streams of this resource.</param>
/// <param name="kubeletIsNew">Called when another kubelet has started than the one that knew us.</param>
#pragma warning disable CA1001 // A semaphore whose wait handle nobody asks for holds nothing to be given back.
internal sealed partial class PluginRegistration(
    PluginResource resource, Func<CancellationToken, Task<PluginListener>> open, PluginStreams streams, Action kubeletIsNew, PluginFolder folder, TimeProvider time, ILogger log)
#pragma warning restore CA1001
{
    private static readonly TimeSpan SlowLook = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(2);

    private readonly TaskCompletionSource firstRegistered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim woken = new(0, 1);
    private PluginListener? listener;

    // The kubelet we last saw, and the one that knows us; since when, and for how many registrations in vain.
    private (DateTime, DateTime)? known;
    private (DateTime, DateTime)? registeredWith;
    private long registeredAt;
    private int unwatched;

    private bool displaced;
    private bool displacedOther;

    /// <summary>Ends once the kubelet has accepted this plugin for the first time.</summary>
    public Task FirstRegistered => firstRegistered.Task;

    public async Task KeepRegistered(CancellationToken stoppingToken)
    {
        var failures = 0;
        folder.Changed += WakeFor;
        try
        {
            while (!stoppingToken.IsCancellationRequested)
            {
                folder.Watch();
                await GiveWay();
                var kubelet = SocketFile.Identity(resource.KubeletSocket);
                var wait = SlowLook;
                if (kubelet is not null && !displaced && MustRegister(kubelet))
                {
                    try
                    {
                        await Register(kubelet, stoppingToken);
                        failures = 0;
                    }
                    catch (Exception e) when (Outage.Is(e, stoppingToken))
                    {
                        // The socket's file is there a moment before the kubelet listens on it, so the first waits are short and quiet.
                        wait = Outage.BackOff(failures, TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(5));
                        if (failures++ > 4 || e is not RpcException { StatusCode: StatusCode.Unavailable })
                            LogRefused(Outage.Reason(e), wait.TotalSeconds);
                    }
                }
                await woken.WaitAsync(wait, stoppingToken);
            }
        }
        finally
        {
            // The socket goes away, so that the kubelet sees us leave at once.
            folder.Changed -= WakeFor;
            if (listener is not null)
                await listener.DisposeAsync();
            (listener, registeredWith) = (null, null);
        }
    }

    // During a rollout two copies run: the later one serves, and to take the socket back would be a fight without end. When it goes,
    // its socket goes with it, and the earlier one is back.
    private async Task GiveWay()
    {
        if (listener is { Replaced: true })
        {
            LogReplaced(resource.Socket);
            await listener.DisposeAsync();
            listener = null;
            registeredWith = null;
            displaced = true;
        }
        displaced = displaced && File.Exists(resource.Socket);
    }

    private bool MustRegister((DateTime, DateTime)? kubelet)
    {
        if (kubelet != registeredWith || listener is not { Removed: false })
            return true;
        var since = time.GetElapsedTime(registeredAt);
        if (displacedOther && since > Settled)
            return true;
        // An old copy of this plugin that exits makes the kubelet drop the resource, whoever serves it now; the sign is a registration
        // without a ListAndWatch. Longer and longer waits for a kubelet that never opens one.
        if (streams.Open > 0)
            unwatched = 0;
        return streams.Open == 0 && since > Outage.BackOff(unwatched, Settled, TimeSpan.FromMinutes(1));
    }

    private async Task Register((DateTime, DateTime)? kubelet, CancellationToken stopping)
    {
        if (known is not null && kubelet != known)
            kubeletIsNew();
        known = kubelet;
        if (listener is not { Removed: false })
        {
            if (listener is not null)
                await listener.DisposeAsync();
            listener = null;
            // When the copy that we displace lets go of the kubelet, the kubelet drops the resource: once more then.
            displacedOther = File.Exists(resource.Socket);
            listener = await open(stopping);
        }
        else if (kubelet == registeredWith)
        {
            displacedOther = false;
            unwatched++;
        }
        await Introduce(stopping);
        registeredWith = kubelet;
        registeredAt = time.GetTimestamp();
        firstRegistered.TrySetResult();
        LogRegistered(resource.Name, resource.Endpoint);
    }

    private async Task Introduce(CancellationToken stopping)
    {
        var request = new RegisterRequest
        {
            Version = "v1beta1",
            Endpoint = resource.Endpoint,
            ResourceName = resource.Name,
            Options = resource.Offers,
        };
        using var channel = UnixSocketChannel.To(resource.KubeletSocket);
        // The kubelet dials back before it answers, for at most 10 s.
        await Bounded.Call(TimeSpan.FromSeconds(15),
            async c => await new Registration.RegistrationClient(channel).RegisterAsync(request, cancellationToken: c), stopping);
    }

    private void WakeFor(string? file)
    {
        if (file is null or "kubelet.sock" || file == resource.Endpoint)
            Wake();
    }

    private void Wake()
    {
        try
        {
            woken.Release();
        }
        catch (SemaphoreFullException)
        {
            // Already woken.
        }
    }

    [LoggerMessage(LogLevel.Information, "The kubelet knows {Resource} at {Endpoint}")]
    private partial void LogRegistered(string resource, string endpoint);

    [LoggerMessage(LogLevel.Warning, "Another copy of this agent serves {Socket}; this one waits")]
    private partial void LogReplaced(string socket);

    [LoggerMessage(LogLevel.Warning, "The kubelet did not take the registration ({Reason}); trying again in {Seconds} s")]
    private partial void LogRefused(string reason, double seconds);
}
