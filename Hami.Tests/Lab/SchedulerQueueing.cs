using Hami.Lab.Scheduler;
using k8s.Models;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Lab;

/// <summary>When a refused pod is tried again: what a real kube-scheduler 1.36 was seen to do.</summary>
public sealed class SchedulerQueueing
{
    private const Happenings Cure = Happenings.NodeAdded | Happenings.PodGone;
    private readonly FakeTimeProvider _time = new();
    private readonly SchedulingQueue _queue;

    public SchedulerQueueing() => _queue = new(_time);

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 4)]
    [InlineData(4, 8)]
    [InlineData(5, 10)]
    [InlineData(50, 10)]
    public void The_back_off_doubles_from_one_to_ten_seconds(int attempts, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), SchedulingQueue.BackOff(attempts));

    [Fact]
    public async Task Pods_come_in_the_order_they_were_put()
    {
        _queue.Put(Pod("b"));
        _queue.Put(Pod("a"));

        Assert.Equal(new string?[] { "b", "a", null }, new[] { await Take(), await Take(), await Take() });
    }

    [Fact]
    public async Task More_important_pods_come_first()
    {
        _queue.Put(Pod("a"));
        _queue.Put(Pod("important", priority: 10));
        _queue.Put(Pod("b"));

        Assert.Equal(new string?[] { "important", "a", "b" }, new[] { await Take(), await Take(), await Take() });
    }

    [Fact]
    public async Task A_refused_pod_stays_parked_until_the_five_minute_flush()
    {
        await PutAndRefuse("a");

        _time.Advance(TimeSpan.FromMinutes(5) - TimeSpan.FromSeconds(1));
        Assert.Null(await Take());
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("a", await Take());
    }

    [Fact]
    public async Task A_refused_pod_is_tried_again_at_once_when_something_happened_that_may_help_it()
    {
        await PutAndRefuse("a");

        _queue.Happened(Happenings.NodeAnnotations | Happenings.PodAssigned);
        Assert.Null(await Take());
        _queue.Happened(Happenings.NodeLabels | Happenings.PodGone);

        Assert.Equal("a", await Take());
    }

    [Theory]
    [InlineData(nameof(Happenings.PodTolerations), true)]
    [InlineData(nameof(Happenings.NodeAdded), false)]
    public async Task A_refused_pod_is_tried_again_when_it_was_changed_itself_so_that_it_may_help(string cure, bool again)
    {
        await PutAndRefuse("a", Enum.Parse<Happenings>(cure));

        var changed = Pod("a");
        changed.Spec.Tolerations = [new() { OperatorProperty = "Exists" }];
        _queue.Put(changed);

        Assert.Equal(again ? "a" : null, await Take());
    }

    [Fact]
    public async Task A_pod_that_an_extender_refused_is_tried_again_after_any_change_even_of_its_own_status()
    {
        await PutAndRefuse("a", Happenings.Anything);

        _queue.Put(Pod("a"));

        Assert.Equal("a", await Take());
    }

    [Fact]
    public async Task What_happens_while_a_pod_is_being_refused_is_not_missed()
    {
        _queue.Put(Pod("a"));
        var a = await TakePod();
        _queue.Happened(Happenings.PodGone);

        _queue.Refused(a!, Cure);

        Assert.Equal("a", await Take());
    }

    [Fact]
    public async Task What_is_of_no_use_to_it_while_it_is_being_refused_parks_it_all_the_same()
    {
        _queue.Put(Pod("a"));
        var a = await TakePod();
        _queue.Happened(Happenings.NodeAnnotations);

        _queue.Refused(a!, Cure);

        Assert.Null(await Take());
    }

    [Fact]
    public async Task A_pod_whose_try_failed_sits_its_whole_back_off_out()
    {
        _queue.Put(Pod("a"));
        _queue.Failed((await TakePod())!);
        _queue.Happened(Happenings.Anything);

        _time.Advance(TimeSpan.FromMilliseconds(999));
        Assert.Null(await Take());
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal("a", await Take());
    }

    [Fact]
    public async Task Errors_in_a_row_back_off_longer_and_a_plain_refusal_ends_the_row()
    {
        _queue.Put(Pod("a"));
        var a = (await TakePod())!;
        _queue.Failed(a);
        _time.Advance(TimeSpan.FromSeconds(1));
        await TakePod();
        _queue.Failed(a);
        Assert.Equal(TimeSpan.FromSeconds(2), a.BackOffEnds - a.FailedAt);

        _time.Advance(TimeSpan.FromSeconds(2));
        await TakePod();
        _queue.Refused(a, Cure);

        Assert.Equal(TimeSpan.FromSeconds(1), a.BackOffEnds - a.FailedAt);
    }

    [Fact]
    public async Task A_woken_pod_in_back_off_lets_ready_pods_go_first()
    {
        await PutAndRefuse("a");
        _queue.Happened(Happenings.PodGone);
        _queue.Put(Pod("b"));

        Assert.Equal(new string?[] { "b", "a" }, new[] { await Take(), await Take() });
    }

    [Fact]
    public async Task A_waiting_taker_wakes_up_when_the_back_off_ends()
    {
        _queue.Put(Pod("a"));
        _queue.Failed((await TakePod())!);

        var taking = _queue.Take(TestContext.Current.CancellationToken);
        Assert.False(taking.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal("a", (await taking.WaitAsync(TimeSpan.FromSeconds(30))).Uid);
    }

    [Fact]
    public async Task A_pod_in_flight_or_being_bound_is_never_given_out_twice()
    {
        _queue.Put(Pod("a"));
        var a = (await TakePod())!;

        _queue.Put(Pod("a"));
        _queue.Happened(Happenings.Anything);
        Assert.Null(await Take());
        _queue.Binds(a);
        _queue.Put(Pod("a"));
        _queue.Happened(Happenings.Anything);

        Assert.Null(await Take());
    }

    [Fact]
    public async Task A_removed_pod_does_not_come_back()
    {
        _queue.Put(Pod("a"));
        var a = (await TakePod())!;
        _queue.Remove("a");

        _queue.Refused(a, Cure);
        _queue.Failed(a);
        _queue.Happened(Happenings.Anything);
        _time.Advance(TimeSpan.FromHours(1));

        Assert.Null(await Take());
    }

    [Fact]
    public async Task A_gated_pod_waits_for_its_gates_whatever_happens()
    {
        var gated = Pod("a");
        gated.Spec.SchedulingGates = [new() { Name = "example.com/wait" }];
        _queue.Put(gated);
        _queue.Happened(Happenings.Anything);
        _time.Advance(TimeSpan.FromMinutes(10));
        Assert.Null(await Take());

        _queue.Put(Pod("a"));

        Assert.Equal("a", await Take());
    }

    [Fact]
    public async Task Any_order_of_calls_gives_every_pod_out_when_all_happens_and_none_twice()
    {
        for (var seed = 0; seed < 50; seed++)
            await AnyOrder(new Random(seed));
    }

    private static async Task AnyOrder(Random dice)
    {
        var time = new FakeTimeProvider();
        var queue = new SchedulingQueue(time);
        var alive = new HashSet<string>(StringComparer.Ordinal);
        var flying = new Dictionary<string, QueuedPod>(StringComparer.Ordinal);
        for (var step = 0; step < 400; step++)
        {
            var uid = $"p{dice.Next(20)}";
            switch (dice.Next(7))
            {
                case 0:
                    queue.Put(Pod(uid, dice.Next(3)));
                    alive.Add(uid);
                    break;
                case 1:
                    queue.Remove(uid);
                    alive.Remove(uid);
                    flying.Remove(uid);
                    break;
                case 2:
                    queue.Happened((Happenings)dice.Next((int)Happenings.Anything));
                    break;
                case 3 when flying.Remove(uid, out var refused):
                    queue.Refused(refused, Cure);
                    break;
                case 4 when flying.Remove(uid, out var failed):
                    queue.Failed(failed);
                    break;
                case 5:
                    time.Advance(TimeSpan.FromMilliseconds(dice.Next(3000)));
                    break;
                default:
                    if (await TakeFrom(queue) is { } taken)
                        Assert.True(flying.TryAdd(taken.Uid, taken), $"{taken.Uid} was given out twice.");
                    break;
            }
        }

        queue.Happened(Happenings.Anything);
        time.Advance(TimeSpan.FromMinutes(5));
        while (await TakeFrom(queue) is { } taken)
            Assert.True(flying.TryAdd(taken.Uid, taken), $"{taken.Uid} was given out twice.");
        Assert.Equal(alive.Order(StringComparer.Ordinal), flying.Keys.Order(StringComparer.Ordinal));
    }

    private async Task PutAndRefuse(string name, Happenings cure = Cure)
    {
        _queue.Put(Pod(name));
        _queue.Refused((await TakePod())!, cure);
    }

    private async Task<string?> Take() => (await TakePod())?.Uid;

    private Task<QueuedPod?> TakePod() => TakeFrom(_queue);

    private static async Task<QueuedPod?> TakeFrom(SchedulingQueue queue)
    {
        using var now = new CancellationTokenSource();
        var taking = queue.Take(now.Token);
        if (taking.IsCompleted)
            return await taking;
        await now.CancelAsync();
        await Task.WhenAny(taking);
        return taking.IsCompletedSuccessfully ? await taking : null;
    }

    private static V1Pod Pod(string name, int priority = 0) =>
        new() { Metadata = new() { Name = name, Uid = name, NamespaceProperty = "default" }, Spec = new() { Priority = priority, Containers = [] } };
}
