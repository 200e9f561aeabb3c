using Hami.Lab.Scheduler;
using k8s.Models;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Lab;

/// <summary>When a refused pod is tried again: what a real kube-scheduler 1.36 was seen to do.</summary>
public sealed class SchedulerQueueing
{
    private readonly FakeTimeProvider _time = new();
    private readonly SchedulingQueue _queue;

    public SchedulerQueueing() => _queue = new(_time);

    [Theory]
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
        _queue.Put(Pod("b"), helps: false);
        _queue.Put(Pod("a"), helps: false);

        Assert.Equal("b", (await Take())?.Name());
        Assert.Equal("a", (await Take())?.Name());
        Assert.Null(await Take());
    }

    [Fact]
    public async Task A_refused_pod_stays_parked_until_the_five_minute_flush()
    {
        await PutAndRefuse("a");

        _time.Advance(TimeSpan.FromMinutes(5) - TimeSpan.FromSeconds(1));
        Assert.Null(await Take());
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("a", (await Take())?.Name());
    }

    [Fact]
    public async Task A_refused_pod_is_tried_again_at_once_when_something_happened()
    {
        await PutAndRefuse("a");

        _queue.WakeAll();

        Assert.Equal("a", (await Take())?.Name());
    }

    [Fact]
    public async Task A_refused_pod_is_tried_again_at_once_when_its_own_annotation_changed()
    {
        await PutAndRefuse("a");

        _queue.Put(Pod("a"), helps: true);

        Assert.Equal("a", (await Take())?.Name());
    }

    [Fact]
    public async Task A_change_of_status_alone_wakes_nobody()
    {
        await PutAndRefuse("a");

        _queue.Put(Pod("a"), helps: false);

        Assert.Null(await Take());
    }

    [Fact]
    public async Task What_happens_while_a_pod_is_being_refused_is_not_missed()
    {
        _queue.Put(Pod("a"), helps: false);
        await Take();
        _queue.WakeAll();

        _queue.Refused("a");

        Assert.Equal("a", (await Take())?.Name());
    }

    [Fact]
    public async Task A_pod_whose_try_failed_sits_its_whole_back_off_out()
    {
        _queue.Put(Pod("a"), helps: false);
        await Take();
        _queue.Failed("a");
        _queue.WakeAll();

        _time.Advance(TimeSpan.FromMilliseconds(999));
        Assert.Null(await Take());
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal("a", (await Take())?.Name());
    }

    [Fact]
    public async Task A_woken_pod_in_back_off_lets_ready_pods_go_first()
    {
        await PutAndRefuse("a");
        _queue.WakeAll();
        _queue.Put(Pod("b"), helps: false);

        Assert.Equal("b", (await Take())?.Name());
        Assert.Equal("a", (await Take())?.Name());
    }

    [Fact]
    public async Task A_waiting_taker_wakes_up_when_the_back_off_ends()
    {
        _queue.Put(Pod("a"), helps: false);
        await Take();
        _queue.Failed("a");

        var taking = _queue.Take(TestContext.Current.CancellationToken);
        Assert.False(taking.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal("a", (await taking.WaitAsync(TimeSpan.FromSeconds(5))).Name());
    }

    [Fact]
    public async Task A_pod_in_flight_is_never_given_out_twice()
    {
        _queue.Put(Pod("a"), helps: false);
        await Take();

        _queue.Put(Pod("a"), helps: true);
        _queue.WakeAll();

        Assert.Null(await Take());
    }

    [Fact]
    public async Task A_removed_pod_does_not_come_back()
    {
        _queue.Put(Pod("a"), helps: false);
        await Take();
        _queue.Remove("a");

        _queue.Refused("a");
        _queue.WakeAll();

        Assert.Null(await Take());
    }

    private async Task PutAndRefuse(string name)
    {
        _queue.Put(Pod(name), helps: false);
        await Take();
        _queue.Refused(name);
    }

    private async Task<V1Pod?> Take()
    {
        using var now = new CancellationTokenSource();
        var taking = _queue.Take(now.Token);
        if (taking.IsCompleted)
            return await taking;
        await now.CancelAsync();
        await Task.WhenAny(taking);
        return taking.IsCompletedSuccessfully ? await taking : null;
    }

    private static V1Pod Pod(string name) => new() { Metadata = new() { Name = name, Uid = name, NamespaceProperty = "default" }, Spec = new() };
}
