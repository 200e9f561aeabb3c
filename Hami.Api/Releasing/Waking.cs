using System.Threading.Channels;
using Hami.Api.Observing;
using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Waking;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hami.Api.Releasing;

/// <summary>
/// Touches refused pods when they fit again: as many as there is room for, the important and the first come first, each once for
/// what was gained.
/// kube-scheduler wakes pods by itself when another pod ends, but may hear of that before we do, and then is refused once more for
/// minutes; of quotas, cards and reservations it hears nothing.
/// </summary>
internal sealed partial class Waking : BackgroundService, ILogFollower
{
    private const int MostAtOnce = 100;
    private const int Workers = 16;

    private static readonly TimeSpan BetweenRounds = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(250);

    // A decision that was under way when something was gained may not have seen it.
    private static readonly TimeSpan LongestDecision = TimeSpan.FromSeconds(1);

    // kube-scheduler holds a pod back for 10 s at most; who is not back by then waits for something else than cards.
    private static readonly TimeSpan LongestComing = TimeSpan.FromSeconds(15);

    private readonly Channel<bool> _due = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly ClusterView _view;
    private readonly WaitingPods _waiting;
    private readonly IPodTouch _touch;
    private readonly SeenPods _pods;
    private readonly TimeProvider _time;
    private readonly ILogger<Waking> _logger;

    private volatile Gain _gain = new(ClusterLedger.Empty, 0, DateTimeOffset.MinValue);

    public Waking(ClusterView view, WaitingPods waiting, IPodTouch touch, SeenPods pods, TimeProvider time, ILogger<Waking>? logger = null)
    {
        (_view, _waiting, _touch, _pods, _time, _logger) = (view, waiting, touch, pods, time, logger ?? NullLogger<Waking>.Instance);
        view.OnGivenBack += GainedSilently;
        waiting.OnRefused += RefusedAgain;
    }

    /// <inheritdoc />
    public void Committed(ClusterLedger after, IReadOnlyList<Recorded> recorded)
    {
        var gained = recorded.LastOrDefault(r => r.Event
            is NodeEvent.AllocationReleased or NodeEvent.AllocationShrunk or NodeEvent.DevicesRegistered or NodeEvent.DeviceUncordoned
            or QuotaEvent.QuotaChanged or PolicyEvent.PolicyChanged);
        _gain = gained is null ? _gain with { Ledger = after } : new(after, gained.Position, _time.GetUtcNow());
        if (gained is not null)
            Look();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        UntilStopped.RunAsync(WakeAsync, _time, _logger, stoppingToken), UntilStopped.RunAsync(WatchTheClockAsync, _time, _logger, stoppingToken));

    private async Task WakeAsync(CancellationToken stoppingToken)
    {
        await foreach (var _ in _due.Reader.ReadAllAsync(stoppingToken))
        {
            try
            {
                if (await RoundAsync(stoppingToken) == MostAtOnce)
                    Look();
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // What one pod asks must not end the process; the next gain is another try.
                LogBroken(_logger, e);
            }
            await Task.Delay(BetweenRounds, _time, stoppingToken);
        }
    }

    /// <summary>Nothing happens when a reservation ends, or when a woken pod stays away.</summary>
    private async Task WatchTheClockAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(BetweenLooks, _time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            _view.ExpireDue();
            var late = _time.GetUtcNow() - LongestComing;
            foreach (var pod in _waiting.All().Where(p => p.Woken < late))
            {
                _waiting.Change(pod, pod with { Woken = null });
                Look();
            }
        }
    }

    /// <summary>Wakes the pods that fit now.</summary>
    /// <returns>How many were woken.</returns>
    private async Task<int> RoundAsync(CancellationToken cancellationToken)
    {
        var (ledger, position, tick) = (_gain.Ledger, _gain.Position, _waiting.Ticks);
        // As kube-scheduler's queue has them: room that was made for an important pod is not handed to another.
        var all = _waiting.All().OrderByDescending(p => _pods.Find(p.Ask.Uid)?.Priority ?? 0).ToList();
        var hopeful = all.Where(p => p.HasNotSeen(position, tick)).ToList();
        if (hopeful.Count == 0)
            return 0;
        // What is kept for a pod, while others are evicted for it, must not stand in its own way.
        var kept = hopeful.Where(p => FitsWhatIsKept(p.Ask, ledger)).Select(p => p.Ask).Take(MostAtOnce).ToList();
        IReadOnlyList<PodAsk> chosen =
        [
            .. kept,
            .. ChooseWoken.Of(
                [.. all.Where(p => p.Woken is not null && _view.ReservationOf(p.Ask.Uid) is null).Select(p => p.Ask)],
                [.. hopeful.Select(p => p.Ask).Except(kept)],
                [.. _view.NodeNames.Select(_view.Node).OfType<NodeUse>()],
                @namespace => _view.TermsFor(ledger, @namespace, ""),
                MostAtOnce - kept.Count),
        ];
        var states = hopeful.ToDictionary(p => p.Ask.Uid, StringComparer.Ordinal);
        await Parallel.ForEachAsync(chosen, new ParallelOptions { MaxDegreeOfParallelism = Workers, CancellationToken = cancellationToken }, async (ask, token) =>
        {
            // Before it is touched: it may be back before the touch is answered.
            var before = states[ask.Uid];
            var woken = before with { Position = position, Tick = tick, Woken = _time.GetUtcNow() };
            _waiting.Change(before, woken);
            switch (await _touch.TouchAsync(ask, position, token))
            {
                case Touch.Gone:
                    _waiting.Forget(ask.Uid);
                    Look();
                    break;
                case Touch.Failed:
                    _waiting.Change(woken, woken with { Woken = null });
                    Look();
                    break;
            }
        });
        return chosen.Count;
    }

    private bool FitsWhatIsKept(PodAsk ask, ClusterLedger ledger) =>
        _view.ReservationOf(ask.Uid) is { } own && _view.Node(own.Node) is { } node
        && NodeFit.FitsAny(ask, [node.Without(own.Shares)], _view.TermsFor(ledger, ask.Namespace, ask.Uid));

    private void GainedSilently()
    {
        _waiting.Gained();
        Look();
    }

    private void RefusedAgain(string podUid, bool wasWoken)
    {
        if (wasWoken)
        {
            // In vain, for a reason that only its node or kube-scheduler knows: another one may use the room.
            Look();
        }
        else if (_time.GetUtcNow() - _gain.At < LongestDecision && _waiting.Find(podUid) is { } pod)
        {
            _waiting.Change(pod, pod with { Position = -1 });
            Look();
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A round of waking refused pods broke off.")]
    private static partial void LogBroken(ILogger logger, Exception exception);

    private void Look() => _due.Writer.TryWrite(true);

    /// <summary>Something was given back.</summary>
    /// <param name="Position">Of the last event that gave something back.</param>
    /// <param name="At">When we heard of it.</param>
    private sealed record Gain(ClusterLedger Ledger, long Position, DateTimeOffset At);
}
