using System.Text;
using CsCheck;
using Hami.NodeAgent.Observing;
using static Hami.NodeAgent.Observing.RegionLayout;

namespace Hami.Tests.Observing;

/// <summary>What containers write into their regions, read as bytes.</summary>
public sealed class ReadingRegions
{
    private const ulong GiB = 1 << 30;

    [Theory]
    [Trait("Node", "case 44")]
    [InlineData(2_008_952, 1, RegionState.Usable, RegionKind.HamiV1)]
    [InlineData(2_008_953, 1, RegionState.Usable, RegionKind.HamiV1)]
    [InlineData(2_008_953, 2, RegionState.Foreign, RegionKind.HamiV1)]
    [InlineData(1_197_896, 0, RegionState.Usable, RegionKind.HamiV0)]
    [InlineData(1_197_897, 77, RegionState.Usable, RegionKind.HamiV0)]
    [InlineData(1_197_895, 1, RegionState.WrongSize, RegionKind.HamiV0)]
    [InlineData(64, 1, RegionState.WrongSize, RegionKind.HamiV0)]
    [InlineData(4, 1, RegionState.WrongSize, RegionKind.HamiV0)]
    [InlineData(0, 1, RegionState.NotReady, RegionKind.HamiV0)]
    public void A_region_is_told_by_its_size_its_magic_and_its_version(int length, int version, object state, object kind)
    {
        var bytes = new Flat(length);
        BitConverter.TryWriteBytes(bytes.Bytes, Magic);
        BitConverter.TryWriteBytes(bytes.Bytes.AsSpan(Math.Min(4, length)), version);
        var reading = new RegionReading();

        Assert.Equal((RegionState)state, reading.Read(bytes, All));
        if (state is RegionState.Usable)
            Assert.Equal((RegionKind)kind, reading.Kind);
    }

    [Theory]
    [Trait("Node", "case 44")]
    [InlineData(0, RegionState.NotReady)] // made beforehand, and nobody has written there yet
    [InlineData(19920717, RegionState.Foreign)]
    [InlineData(-1, RegionState.Foreign)]
    public void Another_magic_is_no_region(int magic, object state)
    {
        foreach (var kind in Enum.GetValues<RegionKind>())
        {
            var image = new RegionImage(kind);
            image.Put32(0, magic);
            Assert.Equal((RegionState)state, new RegionReading().Read(image, All));
        }
    }

    [Fact]
    [Trait("Node", "case 44")]
    public void What_is_larger_than_any_region_is_none() => Assert.Equal(RegionState.WrongSize, new RegionReading().Read(new Sparse(1L << 40), All));

    [Theory]
    [Trait("Node", "case 45")]
    [InlineData(RegionKind.HamiV0, 48, 1592)]
    [InlineData(RegionKind.HamiV1, 56, 1600)]
    [InlineData(RegionKind.Ours, 56, 1600)]
    public void Cards_and_limits_stand_where_each_format_has_them(object kind, int countAt, int limitsAt)
    {
        var image = new RegionImage((RegionKind)kind, extra: kind is RegionKind.Ours ? 0 : 1);
        image.Put64(countAt, 2);
        image.Put64(limitsAt, 4 * GiB);
        image.Put64(limitsAt + 8, 2 * GiB);
        var reading = Read(image);

        Assert.Equal((RegionKind)kind, reading.Kind);
        Assert.Equal((2, 4 * GiB, 2 * GiB), (reading.Devices, reading.Use(0).LimitBytes, reading.Use(1).LimitBytes));
    }

    [Theory]
    [Trait("Node", "case 46")]
    [InlineData(-1, 0)]
    [InlineData(int.MinValue, 0)]
    [InlineData(1, 1)]
    [InlineData(5000, 1024)]
    [InlineData(int.MaxValue, 1024)]
    public void However_many_processes_are_said_to_be_there_no_more_are_read_than_there_is_room_for(int said, int read)
    {
        foreach (var kind in new[] { RegionKind.HamiV0, RegionKind.HamiV1 })
        {
            var image = new RegionImage(kind).Card(0, "GPU-a");
            for (var slot = 0; slot < MostSlots; slot++)
                image.Process(slot, 100 + slot).Use(slot, 0, buffer: 1);
            var reading = Read(image.Slots(said));

            Assert.Equal((read, (ulong)read), (reading.Processes.Count, reading.Use(0).TotalBytes));
        }
    }

    [Theory]
    [Trait("Node", "case 46")]
    [InlineData(99UL)]
    [InlineData(ulong.MaxValue)]
    public void However_many_cards_are_said_to_be_there_sixteen_are_read(ulong said) =>
        Assert.All(Enum.GetValues<RegionKind>(), kind => Assert.Equal(16, Read(new RegionImage(kind).Cards(said)).Devices));

    [Fact]
    [Trait("Node", "case 46")]
    public void A_place_that_nobody_has_counts_nothing() =>
        Assert.All(Enum.GetValues<RegionKind>(), kind =>
        {
            var reading = Read(new RegionImage(kind).Card(0, "GPU-a").Process(0, 10, status: 0).Use(0, 0, buffer: 5).Process(1, 11, status: 2).Use(1, 0, buffer: 7));
            Assert.Equal(7UL, reading.Use(0).TotalBytes);
            Assert.Equal([new RegionProcess(1, 11)], reading.Processes);
        });

    [Fact]
    public void A_process_that_no_longer_lives_counts_nothing()
    {
        var reading = new RegionReading();
        var image = new RegionImage(RegionKind.Ours).Card(0, "GPU-a").Process(0, 10).Use(0, 0, buffer: 5).Process(1, 11).Use(1, 0, buffer: 7);

        Assert.Equal(RegionState.Usable, reading.Read(image, process => process.HostPid == 11));
        Assert.Equal(7UL, reading.Use(0).TotalBytes);
        Assert.Equal([new RegionProcess(1, 11)], reading.Processes);
    }

    [Fact]
    [Trait("Node", "case 49")]
    public void What_processes_use_is_added_up_card_by_card() =>
        Assert.All(Enum.GetValues<RegionKind>(), kind =>
        {
            var reading = Read(new RegionImage(kind).Card(0, "GPU-a", 10_000).Card(1, "GPU-b")
                .Process(0, 10).Use(0, 0, context: 1000, module: 500, buffer: 300, total: 8000, busy: 42).Use(0, 1, buffer: 9)
                .Process(1, 0).Use(1, 0, context: 1, module: 2, buffer: 3, total: 7, busy: 8)
                .Words(recent: 2, @switch: 1, priority: 0, lastKernel: 100));

            Assert.Equal((8007UL, 1001UL, 502UL, 303UL, 50, 10_000UL), (reading.Use(0).TotalBytes, reading.Use(0).ContextBytes, reading.Use(0).ModuleBytes, reading.Use(0).BufferBytes, reading.Use(0).Busy, reading.Use(0).LimitBytes));
            Assert.Equal(9UL, reading.Use(1).TotalBytes);
            Assert.Equal((2, 1, 0), (reading.RecentKernel, reading.UtilizationSwitch, reading.Priority));
            Assert.Equal(kind is RegionKind.HamiV0 ? 0 : 100, reading.LastKernelSeconds);
        });

    [Fact]
    public void Counters_that_are_lies_do_not_overflow_and_nobody_is_busier_than_a_card()
    {
        var image = new RegionImage(RegionKind.HamiV1).Card(0, "GPU-a", ulong.MaxValue).Words(2, lastKernel: ulong.MaxValue);
        for (var slot = 0; slot < MostSlots; slot++)
            image.Process(slot, -slot).Use(slot, 0, ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, ulong.MaxValue);
        var reading = Read(image);

        Assert.Equal((1UL << 58, 100, long.MaxValue), (reading.Use(0).TotalBytes, reading.Use(0).Busy, reading.LastKernelSeconds));
        Assert.All(reading.Processes, process => Assert.True(process.HostPid >= 0));
    }

    [Fact]
    public void A_region_without_our_words_behind_it_is_HAMis_whatever_its_size()
    {
        var image = new RegionImage(RegionKind.Ours).Card(0, "GPU-a").Process(0, 10).Use(0, 0, buffer: 5);
        image.Put64(Extension.At, 0);
        var reading = Read(image);

        Assert.Equal((RegionKind.HamiV1, 5UL), (reading.Kind, reading.Use(0).TotalBytes));
    }

    [Fact]
    public void A_reading_remembers_nothing_of_the_region_before()
    {
        var reading = new RegionReading();
        reading.Read(new RegionImage(RegionKind.Ours).Card(0, "GPU-a", 1).Card(1, "GPU-b", 2).Process(3, 10).Use(3, 1, buffer: 5, busy: 3), All);
        reading.Read(new RegionImage(RegionKind.HamiV0).Card(0, "GPU-c"), All);

        Assert.Equal(("GPU-c", 0UL, 0UL, 0), (Encoding.UTF8.GetString(reading.Uuid(0)), reading.Use(0).LimitBytes, reading.Use(1).TotalBytes, reading.Processes.Count));
    }

    [Fact]
    public void Whatever_bytes_stand_there_a_reading_ends_with_numbers_that_can_be()
    {
        var reading = new RegionReading();
        (from kind in Gen.Enum<RegionKind>()
         from keepsHead in Gen.Bool
         from seed in Gen.Int
         from density in Gen.Int[0, 2].Select(i => new[] { 1, 16, 4096 }[i])
         select (kind, keepsHead, seed, density)).Sample(
            given =>
            {
                var image = new RegionImage(given.kind);
                var chance = new Random(given.seed);
                var head = image.Bytes[..8];
                for (var at = 0; at < image.Bytes.Length; at += chance.Next(1, given.density + 1))
                    image.Bytes[at] = (byte)chance.Next(256);
                if (given.keepsHead)
                    head.CopyTo(image.Bytes, 0);
                if (reading.Read(image, All) is not RegionState.Usable)
                    return true;
                return reading.Devices is >= 0 and <= MostDevices && reading.Processes.Count <= MostSlots
                    && Enumerable.Range(0, MostDevices).All(d => reading.Use(d) is { Busy: >= 0 and <= 100, TotalBytes: <= 1UL << 58 });
            },
            iter: 60,
            threads: 1); // one after another into the same memory, as the agent reads
    }

    [Fact]
    [Trait("Node", "case 51")]
    public void A_region_that_is_cut_off_while_it_is_read_says_so() =>
        Assert.All(Enum.GetValues<RegionKind>(), kind =>
        {
            var image = new RegionImage(kind).Card(0, "GPU-a").Process(900, 10).Use(900, 0, buffer: 5);
            for (var reads = 0; ; reads++)
            {
                var state = new RegionReading().Read(new CutOff(image, reads), All);
                Assert.True(state is RegionState.Usable or RegionState.Short);
                if (state is RegionState.Usable)
                    return;
            }
        });

    private static bool All(RegionProcess process) => true;

    private static RegionReading Read(RegionImage image)
    {
        var reading = new RegionReading();
        Assert.Equal(RegionState.Usable, reading.Read(image, All));
        return reading;
    }

    private sealed class Flat(int length) : IRegionBytes
    {
        public byte[] Bytes { get; } = new byte[length];

        public long Length => length;

        public int ReadAt(Span<byte> into, long offset)
        {
            var there = Bytes.AsSpan((int)Math.Min(offset, length));
            there = there[..Math.Min(there.Length, into.Length)];
            there.CopyTo(into);
            return there.Length;
        }
    }

    private sealed class Sparse(long length) : IRegionBytes
    {
        public long Length => length;

        public int ReadAt(Span<byte> into, long offset) => throw new InvalidOperationException("Not to be read.");
    }

    /// <summary>Gives nothing any more after so many reads.</summary>
    private sealed class CutOff(RegionImage image, int reads) : IRegionBytes
    {
        private int left = reads;

        public long Length => image.Length;

        public int ReadAt(Span<byte> into, long offset) => left-- > 0 ? image.ReadAt(into, offset) : 0;
    }
}
