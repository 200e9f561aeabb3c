extern alias lab;

using Hami.Lab.Kubelet;
using lab::Kubelet.DevicePlugin.V1Beta1;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Lab;

/// <summary>What the kubelet writes down about devices, and how long it lets containers rest.</summary>
public sealed class KubeletBooks
{
    [Fact]
    public void A_checkpoint_reads_back_as_it_was_written_and_has_the_kubelets_shape()
    {
        var file = Path.GetTempFileName();
        var grant = new DeviceGrant("uid-1", "c0", "nvidia.com/gpu", ["g-1", "g-0"], new() { Envs = { ["A"] = "1" } });
        var registered = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal) { ["nvidia.com/gpu"] = ["g-0", "g-1"] };

        Checkpoint.Write(file, [grant], registered, (_, id) => id == "g-0" ? 0 : null);

        Assert.StartsWith(
            """{"Data":{"PodDeviceEntries":[{"PodUID":"uid-1","ContainerName":"c0","ResourceName":"nvidia.com/gpu","DeviceIDs":{"-1":["g-1"],"0":["g-0"]},"AllocResp":"CgYKAUESATE="}],"RegisteredDevices":{"nvidia.com/gpu":["g-0","g-1"]}},"Checksum":""",
            File.ReadAllText(file));
        var (grants, resources) = Checkpoint.Read(file);
        Assert.Equal(["nvidia.com/gpu"], resources);
        Assert.Equal(["g-1", "g-0"], Assert.Single(grants).DeviceIds);
        Assert.Equal("1", grants[0].Answer.Envs["A"]);
        File.Delete(file);
    }

    [Fact]
    public void A_checkpoint_written_again_has_what_was_given_since_and_where_the_devices_are_now()
    {
        var file = Path.GetTempFileName();
        var registered = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        DeviceGrant[] grants = [Grant("a", "g-0"), Grant("b", "g-1")];

        Checkpoint.Write(file, grants[..0], registered, (_, _) => null);
        Assert.Empty(Checkpoint.Read(file).Grants);
        Checkpoint.Write(file, grants[..1], registered, (_, _) => null);
        Assert.Contains("{\"-1\":[\"g-0\"]}", File.ReadAllText(file), StringComparison.Ordinal);
        Checkpoint.Write(file, grants, registered, (_, id) => id == "g-0" ? 1 : 0);

        Assert.Contains("{\"1\":[\"g-0\"]}", File.ReadAllText(file), StringComparison.Ordinal);
        Assert.Equal(["a", "b"], Checkpoint.Read(file).Grants.Select(g => g.Container));
        File.Delete(file);
    }

    [Fact]
    public void What_an_init_container_held_is_reusable_in_its_pod_until_an_app_container_takes_it()
    {
        var ledger = new DeviceLedger();

        ledger.Give(Grant("init", "g-0"), reusableLater: true);
        Assert.Equal(["g-0"], ledger.Reusable("uid-1", "r"));
        Assert.Empty(ledger.Reusable("uid-2", "r"));
        ledger.Give(Grant("app", "g-0"), reusableLater: false);
        Assert.Empty(ledger.Reusable("uid-1", "r"));
        ledger.Release("uid-1");

        Assert.Empty(ledger.InUse("r"));
    }

    [Fact]
    public void What_an_ended_pod_held_is_free_at_once_but_stays_written_down_until_devices_are_next_asked_for()
    {
        var ledger = new DeviceLedger();
        ledger.Give(Grant("app", "g-0"), reusableLater: false);

        ledger.Release("uid-1");

        Assert.Empty(ledger.InUse("r"));
        Assert.Single(ledger.Grants);
        ledger.Give(new DeviceGrant("uid-2", "app", "r", ["g-0"], new()), reusableLater: false);
        Assert.Equal("uid-2", Assert.Single(ledger.Grants).PodUid);
    }

    [Fact]
    public void The_first_restart_is_at_once_and_the_next_rests_double_up_to_five_minutes()
    {
        var time = new FakeTimeProvider();
        var now = time.GetUtcNow().UtcDateTime;
        var backOff = new RestartBackOff(time);

        var rests = Enumerable.Range(0, 8).Select(_ => backOff.Next(now, now).TotalSeconds);

        Assert.Equal([0, 10, 20, 40, 80, 160, 300, 300], rests);
    }

    [Fact]
    public void A_log_that_grows_for_days_keeps_its_times_about_right()
    {
        var file = Path.GetTempFileName();
        var time = new FakeTimeProvider();
        var start = time.GetUtcNow();
        var clock = new LogClock(file, time);
        for (var i = 0; i < 5000; i++)
        {
            File.AppendAllText(file, "x\n");
            clock.Look();
            time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(start, clock.At(0));
        Assert.Equal(start.AddSeconds(4999), clock.At(9998));
        Assert.InRange(clock.At(2000), start.AddSeconds(999), start.AddSeconds(1000));
        Assert.InRange(clock.Since(start.AddSeconds(1000)), 2000, 2002);
        File.Delete(file);
    }

    [Fact]
    public void A_directory_too_long_for_a_socket_is_refused_in_a_sentence()
    {
        var refused = Assert.Throws<ArgumentException>(() => KubeletPaths.Create($"/tmp/{new string('x', 90)}"));

        Assert.Contains("Choose a shorter directory.", refused.Message);
    }

    [Theory]
    [InlineData("a\nb\nc\n", 2, "b\nc\n")]
    [InlineData("a\nb\nc", 2, "b\nc")]
    [InlineData("a\nb\n", 5, "a\nb\n")]
    [InlineData("a\nb\n", 0, "")]
    [InlineData("", 3, "")]
    public void The_tail_of_a_log_is_its_last_lines(string log, int lines, string tail)
    {
        using var text = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(log));

        Assert.Equal(tail, log[(int)ContainerLogs.TailStart(text, lines)..]);
    }

    private static DeviceGrant Grant(string container, string id) => new("uid-1", container, "r", [id], new());
}
