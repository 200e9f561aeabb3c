using System.Runtime.CompilerServices;
using Hami.NodeAgent.Plumbing.Nvml;
using Hami.Tests.Given;

namespace Hami.Tests.Plumbing;

/// <summary>The binding against the pretended library: every call the agent makes.</summary>
public sealed class ReadingCardsThroughNvml
{
    private const string One = "GPU-00000000-0000-0000-0000-000000000001";
    private const string Two = "GPU-00000000-0000-0000-0000-000000000002";

    // Hami.Interceptor/tests/test_nvml.c holds the same sizes.
    [Fact]
    public void Structures_have_the_sizes_of_nvidias_header()
    {
        Assert.Equal(68, Unsafe.SizeOf<NvmlPci>());
        Assert.Equal(24, Unsafe.SizeOf<NvmlMemory>());
        Assert.Equal(40, Unsafe.SizeOf<NvmlMemoryV2>());
        Assert.Equal(8, Unsafe.SizeOf<NvmlUtilization>());
        Assert.Equal(24, Unsafe.SizeOf<NvmlProcess>());
        Assert.Equal(32, Unsafe.SizeOf<NvmlProcessSample>());
        Assert.Equal(32, Unsafe.SizeOf<NvmlEvent>());
        Assert.Equal(40, Unsafe.SizeOf<NvmlFieldValue>());
        Assert.Equal(40, Unsafe.SizeOf<NvmlAttributes>());
        Assert.Equal(8, Unsafe.SizeOf<NvmlPlacement>());
        Assert.Equal(48, Unsafe.SizeOf<NvmlGpuInstanceProfile>());
        Assert.Equal(24, Unsafe.SizeOf<NvmlGpuInstanceInfo>());
        Assert.Equal(36, Unsafe.SizeOf<NvmlComputeInstanceProfile>());
        Assert.Equal(32, Unsafe.SizeOf<NvmlComputeInstanceInfo>());
    }

    [Fact]
    public void A_card_tells_what_it_is_and_what_it_does()
    {
        using var cards = new PretendedCards(
            $"{One};NVIDIA H100 80GB HBM3;81920;132;minor=7;bus=00000000:3B:00.0;temperature=61;memory-temperature=72;fan=35;power=312000;energy=123456789;busy=87",
            $"{Two};NVIDIA GB10;131072;48;memory=unsupported");
        using var nvml = cards.Open();

        Assert.Equal(2, nvml.Count());
        Assert.NotEqual("", nvml.DriverVersion());
        var one = nvml.ByIndex(0);
        Assert.Equal(one, nvml.ByUuid(One));
        Assert.Equal((One, "NVIDIA H100 80GB HBM3", 0, 7), (nvml.Uuid(one), nvml.Name(one), nvml.Index(one), nvml.Minor(one)));
        Assert.Equal("00000000:3B:00.0", nvml.Pci(one).BusId);
        Assert.Equal((9, 0), nvml.ComputeCapability(one));
        Assert.Equal(new NvmlMemory(80L << 30, 80L << 30, 0), nvml.Memory(one));
        Assert.Equal((87u, 61u, 312_000u, 123_456_789ul), (nvml.Utilization(one).Gpu, nvml.Temperature(one), nvml.PowerMilliwatt(one), nvml.EnergyMillijoule(one)));
        Assert.Equal((72u, 35u), (nvml.MemoryTemperature(one), nvml.FanPercent(one)));
        Assert.Equal(NvmlResult.NotSupported, Refusal(() => nvml.FanPercent(nvml.ByIndex(1))));
        Assert.Empty(nvml.ComputeProcesses(one));
        Assert.Empty(nvml.GraphicsProcesses(one));
        Assert.Empty(nvml.ProcessSamples(one, 0));
        Assert.Equal(NvmlResult.NotSupported, Refusal(() => nvml.Memory(nvml.ByIndex(1))));
        Assert.Equal(NvmlResult.NotSupported, Refusal(() => nvml.MigMode(one)));
        Assert.Equal(NvmlResult.InvalidArgument, Refusal(() => nvml.ByIndex(2)));
        Assert.Equal(NvmlResult.NotFound, Refusal(() => nvml.ByUuid("GPU-00000000-0000-0000-0000-00000000ffff")));
    }

    [Fact]
    public void Two_nodes_live_in_one_process()
    {
        using var left = new PretendedCards($"{One};T4;16384;40");
        using var right = new PretendedCards($"{Two};T4;16384;40", $"{One};T4;16384;40");
        using var leftNvml = left.Open();
        using var rightNvml = right.Open();

        Assert.Equal((1, 2), (leftNvml.Count(), rightNvml.Count()));
        Assert.Equal(Two, rightNvml.Uuid(rightNvml.ByIndex(0)));
    }

    [Fact]
    public void Links_and_the_way_between_cards_are_told()
    {
        const string three = "GPU-00000000-0000-0000-0000-000000000003";
        using var cards = new PretendedCards(
            $"{One};A;16384;40;bus=00000000:07:00.0;path=cpu0/bridge1/switch2/board3;links={Two}*2;switch=1",
            $"{Two};A;16384;40;bus=00000000:0F:00.0;path=cpu0/bridge1/switch2/board4",
            $"{three};A;16384;40;path=cpu0/bridge1/switch2/switch9/board4",
            "GPU-4;A;16384;40;path=cpu0/bridge1/switch3/board4",
            "GPU-5;A;16384;40;path=cpu0/bridge5/switch2/board3",
            "GPU-6;A;16384;40;path=cpu1/bridge1/switch2/board3",
            "GPU-7;A;16384;40;path=cpu0/bridge1/switch2/board3");
        using var nvml = cards.Open();
        var one = nvml.ByIndex(0);

        Assert.Equal([0, 10, 20, 30, 40, 50, 0], Enumerable.Range(0, 7).Select(i => nvml.CommonAncestor(one, nvml.ByIndex(i))));
        Assert.True(nvml.LinkIsActive(one, 0) && nvml.LinkIsActive(one, 2));
        Assert.Equal("00000000:0F:00.0", nvml.LinkRemote(one, 1).BusId);
        Assert.False(nvml.LinkLeadsToSwitch(one, 1));
        Assert.True(nvml.LinkLeadsToSwitch(one, 2));
        Assert.Equal(NvmlResult.InvalidArgument, Refusal(() => nvml.LinkIsActive(one, 3)));
        Assert.Equal(NvmlResult.NotSupported, Refusal(() => nvml.LinkIsActive(nvml.ByIndex(1), 0)));
    }

    [Fact]
    public void Events_that_come_after_a_set_was_made_are_seen_by_it_in_turn()
    {
        using var cards = new PretendedCards($"{One};T4;16384;40", $"{Two};T4;16384;40;events=unsupported");
        using var nvml = cards.Open();
        cards.Xid(One, 31);
        var set = nvml.CreateEventSet();
        var one = nvml.ByIndex(0);
        Assert.True(nvml.SupportedEvents(one).HasFlag(NvmlEventTypes.XidCritical));
        Assert.Equal(NvmlResult.NotSupported, Refusal(() => nvml.SupportedEvents(nvml.ByIndex(1))));
        nvml.Register(one, NvmlEventTypes.XidCritical, set);
        Assert.Null(nvml.Wait(set, TimeSpan.FromMilliseconds(1)));

        cards.Xid(One, 79);
        cards.Xid(Two, 48);
        cards.Xid(One, 94, gpuInstance: 3, computeInstance: 0);

        Assert.Equal(new NvmlEvent(one, NvmlEventTypes.XidCritical, 79, NvmlEvent.NoInstance, NvmlEvent.NoInstance), nvml.Wait(set, TimeSpan.FromSeconds(5)));
        Assert.Equal(new NvmlEvent(one, NvmlEventTypes.XidCritical, 94, 3, 0), nvml.Wait(set, TimeSpan.FromSeconds(5)));
        Assert.Null(nvml.Wait(set, TimeSpan.FromMilliseconds(1)));
        nvml.Free(set);
    }

    [Fact]
    public void A_driver_that_is_lost_answers_nothing_until_it_is_back()
    {
        using var cards = new PretendedCards($"{One};T4;16384;40");
        using var nvml = cards.Open();

        cards.Lost = true;
        Assert.Equal(NvmlResult.GpuIsLost, Refusal(() => nvml.Count()));
        Assert.Equal(NvmlResult.DriverNotLoaded, Refusal(() => cards.Open()));

        cards.Lost = false;
        Assert.Equal(1, nvml.Count());
    }

    [Fact]
    public void Calls_fail_on_demand()
    {
        using var cards = new PretendedCards($"{One};T4;16384;40");
        using var nvml = cards.Open();

        cards.Fail("nvmlDeviceGetName:2:999");
        Assert.Equal("T4", nvml.Name(nvml.ByIndex(0)));
        Assert.Equal(NvmlResult.Unknown, Refusal(() => nvml.Name(nvml.ByIndex(0))));
        Assert.Equal("T4", nvml.Name(nvml.ByIndex(0)));
        cards.Fail("nvmlDeviceGetName:0:15");
        Assert.Equal(NvmlResult.GpuIsLost, Refusal(() => nvml.Name(nvml.ByIndex(0))));
    }

    [Fact]
    public void A_card_is_cut_at_a_placement_and_made_whole_again()
    {
        using var cards = new PretendedCards($"{One};{PretendedCards.A100With40GB};mig=on");
        using var nvml = cards.Open();
        var card = nvml.ByIndex(0);
        Assert.Equal((true, true), nvml.MigMode(card));
        Assert.Equal(7, nvml.MostMigDevices(card));
        var two = nvml.GpuInstanceProfile(card, 1);
        Assert.Equal((14u, 2u, 3u, 28u, 9984ul), (two.Id, two.SliceCount, two.InstanceCount, two.MultiprocessorCount, two.MemorySizeMiB));
        Assert.Equal([new(0, 2), new(2, 2), new(4, 2)], nvml.PossiblePlacements(card, two.Id));
        Assert.Equal(NvmlResult.NotSupported, Refusal(() => nvml.GpuInstanceProfile(card, 6)));

        var gpu = nvml.CreateGpuInstance(card, two.Id, new(2, 2));
        var whole = nvml.ComputeInstanceProfile(gpu, 1);
        var compute = nvml.CreateComputeInstance(gpu, whole.Id);

        var info = nvml.Of(gpu);
        Assert.Equal((card, two.Id, new NvmlPlacement(2, 2)), (info.Device, info.ProfileId, info.Placement));
        Assert.Equal((gpu, 0u), (nvml.Of(compute).GpuInstance, nvml.Of(compute).Id));
        Assert.Equal([gpu], nvml.GpuInstances(card, two.Id, two.InstanceCount));
        Assert.Equal([compute], nvml.ComputeInstances(gpu, whole.Id, whole.InstanceCount));
        Assert.Equal(gpu, nvml.GpuInstanceById(card, info.Id));
        var mig = nvml.MigDevice(card, 0);
        Assert.Equal(NvmlResult.NotFound, Refusal(() => nvml.MigDevice(card, 1)));
        Assert.Equal((card, info.Id, 0u), (nvml.CardOf(mig), nvml.GpuInstanceId(mig), nvml.ComputeInstanceId(mig)));
        Assert.Equal(mig, nvml.ByUuid(nvml.Uuid(mig)));
        Assert.StartsWith("MIG-", nvml.Uuid(mig), StringComparison.Ordinal);
        Assert.Equal("NVIDIA A100-SXM4-40GB MIG 2g.10gb", nvml.Name(mig));
        Assert.Equal((28u, 2u, 9984ul), (nvml.Attributes(mig).MultiprocessorCount, nvml.Attributes(mig).GpuInstanceSliceCount, nvml.Attributes(mig).MemorySizeMiB));
        Assert.Equal(9984ul << 20, nvml.Memory(mig).Total);
        Assert.Equal(NvmlResult.NotSupported, Refusal(() => nvml.Utilization(card)));

        Assert.Equal(NvmlResult.InUse, Refusal(() => nvml.Destroy(gpu)));
        Assert.Equal(2, cards.Instances.Length);
        nvml.Destroy(compute);
        nvml.Destroy(gpu);
        Assert.Empty(cards.Instances);
        Assert.Equal(NvmlResult.InvalidArgument, Refusal(() => nvml.Of(gpu)));
        Assert.Equal(NvmlResult.InvalidArgument, Refusal(() => nvml.Name(mig)));
    }

    [Fact]
    public void Instances_that_overlap_or_lie_nowhere_are_refused()
    {
        using var cards = new PretendedCards($"{One};{PretendedCards.A100With40GB};mig=on", $"{Two};{PretendedCards.A100With40GB};mig=off");
        using var nvml = cards.Open();
        var card = nvml.ByIndex(0);
        nvml.CreateGpuInstance(card, 9, new(0, 4));

        Assert.Equal(NvmlResult.InsufficientResources, Refusal(() => nvml.CreateGpuInstance(card, 14, new(2, 2))));
        Assert.Equal(NvmlResult.InvalidArgument, Refusal(() => nvml.CreateGpuInstance(card, 14, new(6, 2))));
        Assert.Equal(NvmlResult.InvalidArgument, Refusal(() => nvml.CreateGpuInstance(card, 14, new(4, 1))));
        Assert.Equal(NvmlResult.NotSupported, Refusal(() => nvml.CreateGpuInstance(nvml.ByIndex(1), 14, new(4, 2))));
        nvml.CreateGpuInstance(card, 14, new(4, 2));
        nvml.CreateGpuInstance(card, 19, new(6, 1));
        Assert.Equal(3, cards.Instances.Length);
    }

    [Fact]
    public void Instances_outlive_whoever_made_them()
    {
        using var cards = new PretendedCards($"{One};{PretendedCards.A100With80GB};mig=on");
        string uuid;
        using (var nvml = cards.Open())
        {
            var gpu = nvml.CreateGpuInstance(nvml.ByIndex(0), 19, new(5, 1));
            nvml.CreateComputeInstance(gpu, nvml.ComputeInstanceProfile(gpu, 0).Id);
            uuid = nvml.Uuid(nvml.MigDevice(nvml.ByIndex(0), 0));
        }

        using var later = cards.Open();
        Assert.Equal("NVIDIA A100-SXM4-80GB MIG 1g.10gb", later.Name(later.ByUuid(uuid)));
    }

    [Fact]
    public void The_mode_changes_at_once_on_a_card_that_nobody_uses()
    {
        using var cards = new PretendedCards($"{One};{PretendedCards.A100With80GB};mig=off", $"{Two};{PretendedCards.A100With80GB};mig=will-be-on");
        using var nvml = cards.Open();

        Assert.Equal((false, true), nvml.MigMode(nvml.ByIndex(1)));
        Assert.Equal(0, nvml.MostMigDevices(nvml.ByIndex(0)));
        Assert.Equal(NvmlResult.Success, nvml.SetMigMode(nvml.ByIndex(0), enabled: true));
        Assert.Equal((true, true), nvml.MigMode(nvml.ByIndex(0)));
        nvml.CreateGpuInstance(nvml.ByIndex(0), 19, new(0, 1));
        Assert.Equal(NvmlResult.InUse, nvml.SetMigMode(nvml.ByIndex(0), enabled: false));
        Assert.Equal((true, false), nvml.MigMode(nvml.ByIndex(0)));
    }

    private static NvmlResult Refusal(Action ask) => Assert.Throws<NvmlException>(ask).Result;

    private static NvmlResult Refusal<T>(Func<T> ask) => Assert.Throws<NvmlException>(() => { ask(); }).Result;
}
