using System.Collections.Immutable;
using System.Text;
using Hami.NodeAgent.Observing;

namespace Hami.Tests.Observing;

/// <summary>From what the kernel, the driver and regions say to what each container has of each card.</summary>
public sealed class TellingWhoseProcessItIs
{
    private const long MiB = 1 << 20;
    private static readonly string Id = new('a', 63);
    private static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeSeconds(160);

    [Theory]
    [InlineData("12:memory:/kubepods/burstable/pod6c1b9a0e-1111-2222-3333-444455556666/{0}1\n", "6c1b9a0e-1111-2222-3333-444455556666", "1")]
    [InlineData("0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod6c1b9a0e_1111_2222_3333_444455556666.slice/cri-containerd-{0}2.scope\n", "6c1b9a0e-1111-2222-3333-444455556666", "2")]
    [InlineData("0::/kubepods.slice/kubepods-pod6c1b9a0e_1111_2222_3333_444455556666.slice/crio-{0}3.scope/init\n", "6c1b9a0e-1111-2222-3333-444455556666", "3")]
    [InlineData("0::/../../../kubepods-besteffort.slice/kubepods-besteffort-podu1.slice/cri-containerd-{0}4.scope\n", "u1", "4")]
    [InlineData("11:cpu:/system.slice/containerd.service/kubepods-burstable-podu1.slice:cri-containerd:{0}5\n", null, null)]
    [InlineData("1:name=systemd:/kubepods/podd4c3b2a1d4c3b2a1/{0}6\n0::/\n", "d4c3b2a1d4c3b2a1", "6")]
    [InlineData("0::/kubepods/besteffort/podu1/docker-{0}7.scope\n", "u1", "7")]
    [InlineData("0::/user.slice/user-1000.slice/session-1.scope\n", null, null)]
    [InlineData("0::/kubepods/besteffort/podu1\n", null, null)]
    [InlineData("0::/\n", null, null)]
    [InlineData("", null, null)]
    [InlineData("\0:::////pod/\nnonsense", null, null)]
    public void The_kernels_path_of_a_process_names_its_pod_and_container(string cgroup, string? pod, string? last) =>
        Assert.Equal(pod is null ? null : new CgroupOwner(pod, Id + last), ProcessText.Owner(Encoding.UTF8.GetBytes(cgroup.Replace("{0}", Id, StringComparison.Ordinal))));

    [Theory]
    [InlineData("7 (a) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 99 0", 12345L)]
    [InlineData("7 (a) b) ( 3) R 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 99 0", 12345L)]
    [InlineData("7 (a) Z 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 99 0", null)]
    [InlineData("7 (a) Z 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 3 0 12345 99 0", 12345L)] // only the first thread ended
    [InlineData("7 (a) S 1 7", null)]
    [InlineData("", null)]
    public void A_process_is_told_from_another_of_its_pid_by_when_it_began(string stat, long? ticks) => Assert.Equal(ticks, ProcessText.StartTicks(Encoding.ASCII.GetBytes(stat)));

    [Fact]
    public void The_kernels_word_comes_before_what_a_region_claims()
    {
        var (honest, thief) = (Container("a", id: "1"), Container("b", id: "2"));
        var owners = Attribution.Owners([10], _ => new("uid-a", "1"), [(honest, Told([])), (thief, Told([10]))]);
        Assert.Same(honest, owners[10]);
    }

    [Fact]
    public void Without_the_kernels_word_a_claim_counts_where_it_is_the_only_one()
    {
        var (one, other) = (Container("a", id: null), Container("b", id: null));
        var owners = Attribution.Owners([10, 11, 12], _ => null, [(one, Told([10, 11, 11])), (other, Told([10]))]);
        Assert.Equal([(11, one)], owners.Select(o => (o.Key, o.Value)));
    }

    [Fact]
    public void A_pod_that_is_not_ours_owns_its_processes_whoever_claims_them()
    {
        var thief = Container("b", id: "2");
        Assert.Empty(Attribution.Owners([10], _ => new("uid-other", "9"), [(thief, Told([10]))]));
    }

    [Fact]
    public void Until_the_kubelet_tells_a_containers_id_it_is_the_one_without()
    {
        var (told, untold) = (Container("a", "c0", id: "1"), Container("a", "c1", id: null));
        Assert.Same(untold, Attribution.Owners([10], _ => new("uid-a", "2"), [(told, Told([])), (untold, Told([]))])[10]);

        var second = Container("a", "c2", id: null);
        Assert.Same(second, Attribution.Owners([10], _ => new("uid-a", "2"), [(told, Told([])), (untold, Told([])), (second, Told([10]))])[10]);
        Assert.Empty(Attribution.Owners([10], _ => new("uid-a", "2"), [(untold, Told([])), (second, Told([]))]));
    }

    [Fact]
    public void A_card_that_the_container_was_not_given_is_passed_over_and_one_named_twice_counts_once()
    {
        var reading = Read(new RegionImage(RegionKind.Ours)
            .Card(0, "GPU-not-given").Card(1, "GPU-a").Card(2, "GPU-a").Card(3, "\xFF\xFE").Card(4, "")
            .Process(0, 7).Use(0, 0, buffer: 1).Use(0, 1, buffer: 2).Use(0, 2, buffer: 3).Use(0, 3, buffer: 4));
        var told = RegionTold.From(reading, Container("a", id: null), _ => 1000 * MiB, Now);

        Assert.Equal([(1, "GPU-a", 2L)], told.Shares.Select(s => (s.Index, s.Uuid, s.UsedBytes)));
    }

    [Theory]
    [InlineData(100, 8000, 1000, 500, 300, 8000, 1000, 500, 300)]
    [InlineData(100, 1 << 30, 1000, 500, 300, 100 << 20, 1000, 500, 300)] // no more than the card has
    [InlineData(100, 900, 1000, 500, 300, 900, 900, 0, 0)] // parts within the whole
    [InlineData(0, 1 << 30, 0, 0, 1 << 30, 1 << 30, 0, 0, 1 << 30)] // nobody knows the card's size
    public void Numbers_are_held_to_what_can_be(long cardMiB, long total, long context, long module, long buffer, long used, long itsContext, long itsModule, long itsBuffer)
    {
        var reading = Read(new RegionImage(RegionKind.HamiV1).Card(0, "GPU-a").Process(0, 7).Use(0, 0, (ulong)context, (ulong)module, (ulong)buffer, (ulong)total));
        var share = RegionTold.From(reading, Container("a", id: null, memoryMiB: 50), _ => cardMiB == 0 ? null : cardMiB * MiB, Now).Shares.Single();

        Assert.Equal((used, itsContext, itsModule, itsBuffer), (share.UsedBytes, share.ContextBytes, share.ModuleBytes, share.BufferBytes));
        Assert.Equal(50 * MiB, share.LimitBytes);
    }

    [Theory]
    [Trait("Node", "case 49")]
    [InlineData(0UL, null)]
    [InlineData(100UL, 100L)]
    [InlineData(161UL, 160L)]
    [InlineData(ulong.MaxValue, 160L)]
    [Trait("Scoreboard", "I07")]
    public void The_last_kernel_was_sent_at_some_time_before_now(ulong said, long? time) =>
        Assert.Equal(
            time, RegionTold.From(Read(new RegionImage(RegionKind.HamiV1).Words(2, lastKernel: said)), Container("a", id: null), _ => null, Now).LastKernel?.ToUnixTimeSeconds());

    [Fact]
    public void What_a_region_says_is_held_against_what_the_driver_counts()
    {
        var (one, other) = (Container("a", id: "1"), Container("b", id: "2"));
        var looks = Looks(("GPU-a", new() { [10] = new(700 * MiB, 30), [11] = new(300 * MiB, 20), [20] = new(50 * MiB, 90) }));
        var shares = Attribution.Shares(
            [(one, Told([10], used: 600 * MiB)), (other, Told([20], used: 60 * MiB))], looks, new Dictionary<int, WatchedContainer> { [10] = one, [11] = one, [20] = other });

        Assert.Equal([("a", 600 * MiB, 1000 * MiB, 50, 2), ("b", 60 * MiB, 50 * MiB, 90, 1)], shares.Select(s => (s.Pod, s.UsedBytes, s.DriverBytes!.Value, s.Busy, s.Processes)));
    }

    [Fact]
    public void Where_the_driver_does_not_tell_the_regions_word_stays_and_the_drivers_is_open()
    {
        var container = Container("a", id: null);
        ShareReading Share(ImmutableArray<CardLook> looks) => Attribution.Shares([(container, Told([], used: 5, busy: 42, processes: 1))], looks, new Dictionary<int, WatchedContainer>()).Single();

        Assert.Equal((5L, null, 42), (Share([]).UsedBytes, Share([]).DriverBytes, Share([]).Busy));
        // Its processes are among those listed, but nobody knows which they are.
        Assert.Null(Share(Looks(("GPU-a", new() { [10] = new(5, 0) }))).DriverBytes);
    }

    [Fact]
    public void A_container_without_a_region_is_known_by_its_processes_on_the_card()
    {
        var container = Container("a", id: "1");
        var looks = Looks(("GPU-a", new() { [10] = new(5 * MiB, 7) }));
        Assert.Equal(
            (5 * MiB, 5 * MiB, 7, 1),
            Attribution.Shares([(container, RegionTold.Nothing)], looks, new Dictionary<int, WatchedContainer> { [10] = container }).Select(s => (s.UsedBytes, s.DriverBytes!.Value, s.Busy, s.Processes)).Single());
        Assert.Empty(Attribution.Shares([(container, RegionTold.Nothing)], looks, new Dictionary<int, WatchedContainer>()));
    }

    internal static WatchedContainer Container(string pod, string name = "c0", string? id = "1", long memoryMiB = 1000, int priority = 1, string uuid = "GPU-a") =>
        new($"uid-{pod}", "default", pod, name, 0, [new(uuid, [.. Encoding.UTF8.GetBytes(uuid)], memoryMiB * MiB)], priority, id, Over: false);

    private static RegionTold Told(int[] pids, long used = 1, int busy = 0, int? processes = null) =>
        new([new(0, "GPU-a", 1000 * MiB, used, 0, 0, used, busy)], [.. pids], processes ?? pids.Length, null, RegionKind.Ours);

    private static ImmutableArray<CardLook> Looks(params (string Uuid, Dictionary<int, ProcessOnCard> Processes)[] cards) =>
        [.. cards.Select(c => new CardLook(new(c.Uuid, 0, "A100", true, null, null, null, null, null, null, null), c.Processes, TellsBusy: true))];

    private static RegionReading Read(RegionImage image)
    {
        var reading = new RegionReading();
        Assert.Equal(RegionState.Usable, reading.Read(image, _ => true));
        return reading;
    }
}
