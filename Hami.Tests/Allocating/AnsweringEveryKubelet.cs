extern alias agent;

using System.Buffers;
using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using agent::Kubelet.DevicePlugin.V1Beta1;
using CsCheck;
using Google.Protobuf;
using Hami.NodeAgent.Plumbing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hami.Tests.Allocating;

/// <summary>What a kubelet calls the plugin (<c>:authority</c>) differs by its version; raw HTTP/2 here, as HttpClient would not send it.</summary>
public sealed class AnsweringEveryKubelet : IAsyncLifetime
{
    private const string Method = "/v1beta1.DevicePlugin/GetDevicePluginOptions";

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("hami");
    private readonly TestPlugin plugin = new();
    private PluginListener? listener;

    private string Socket => Path.Combine(folder.FullName, "gpu.sock");

    public async ValueTask InitializeAsync() => listener = await PluginListener.Open(Socket, NullLoggerFactory.Instance, _ => plugin, CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await listener!.DisposeAsync();
        folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("/var/lib/kubelet/device-plugins/nvidia-gpu.sock")]
    [InlineData("%2Fvar%2Flib%2Fkubelet%2Fdevice-plugins%2Fnvidia-gpu.sock")]
    [InlineData("unix:///var/lib/kubelet/device-plugins/nvidia-gpu.sock")]
    [InlineData("")]
    [InlineData(null)]
    public async Task Whatever_name_a_kubelet_gives_us_it_is_answered(string? authority)
    {
        using var kubelet = await Http2.Connect(Socket);
        for (var call = 1; call <= 3; call++)
            Assert.True((await kubelet.Call(Method, authority)).PreStartRequired);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_table_of_headers_stays_in_step_when_it_overflows(bool pathAsName)
    {
        // Each call adds an entry of some 60 bytes to a table of 4096, as the kubelet's grpc-timeout does, and names the authority of the first by its number.
        using var kubelet = await Http2.Connect(Socket);
        for (var call = 1; call <= 200; call++)
            Assert.True((await kubelet.Call(Method, pathAsName ? "/var/lib/kubelet/device-plugins/nvidia-gpu.sock" : "x", timeout: $"{29_000_000 + call}u")).PreStartRequired);
    }

    [Fact]
    public async Task Headers_in_pieces_with_padding_and_priority_are_put_together()
    {
        using var kubelet = await Http2.Connect(Socket);
        kubelet.Pieces = 7;
        kubelet.Padding = 13;
        Assert.True((await kubelet.Call(Method, "/a/socket")).PreStartRequired);
        Assert.True((await kubelet.Call(Method, "/a/socket")).PreStartRequired);
    }

    [Fact]
    public async Task Grpcs_own_client_is_served_as_ever()
    {
        using var channel = UnixSocketChannel.To(Socket);
        var client = new DevicePlugin.DevicePluginClient(channel);
        var asked = Enumerable.Range(0, 100).Select(i => client.AllocateAsync(new AllocateRequest
        {
            ContainerRequests = { new ContainerAllocateRequest { DevicesIds = { Enumerable.Range(0, 2000).Select(n => $"GPU-{i}-{n}") } } },
        }).ResponseAsync);
        Assert.All(await Task.WhenAll(asked), answer => Assert.Equal("2000", answer.ContainerResponses.Single().Envs["ids"]));
    }

    [Fact]
    public async Task Rubbish_ends_the_connection_and_nothing_else()
    {
        foreach (var rubbish in new[] { "GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\u00ff\u00ff\u00ff\u0001\u0004aaaaaaaaaaaaaaaa", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\u0002\u0001\u000c\0\0\0\u0001\u0001\u0001" })
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(Socket));
            await socket.SendAsync(Encoding.Latin1.GetBytes(rubbish));
            socket.Shutdown(SocketShutdown.Send);
            var buffer = new byte[4096];
            while (await socket.ReceiveAsync(buffer) > 0)
            {
                // Until it is closed.
            }
        }
        using var kubelet = await Http2.Connect(Socket);
        Assert.True((await kubelet.Call(Method, "/a/socket")).PreStartRequired);
    }

    [Fact]
    public void Blocks_that_are_not_understood_pass_unchanged_and_none_grows() => Gen.Byte.Array[0, 60].Sample(block =>
    {
        var into = new ArrayBufferWriter<byte>();
        HeaderBlock.WithoutAuthority(block, into);
        Assert.True(into.WrittenCount <= block.Length);
        var again = new ArrayBufferWriter<byte>();
        HeaderBlock.WithoutAuthority(into.WrittenSpan, again);
        Assert.Equal(into.WrittenSpan.ToArray(), again.WrittenSpan.ToArray());
    }, iter: 20_000, threads: 1);

    private sealed class TestPlugin : DevicePlugin.DevicePluginBase
    {
        public override Task<DevicePluginOptions> GetDevicePluginOptions(Empty request, Grpc.Core.ServerCallContext context) =>
            Task.FromResult(new DevicePluginOptions { PreStartRequired = true });

        public override Task<AllocateResponse> Allocate(AllocateRequest request, Grpc.Core.ServerCallContext context) => Task.FromResult(new AllocateResponse
        {
            ContainerResponses = { new ContainerAllocateResponse { Envs = { ["ids"] = request.ContainerRequests.Single().DevicesIds.Count.ToString() } } },
        });
    }

    /// <summary>As much of HTTP/2 and HPACK as grpc-go sends: headers are put into the table once and named by their numbers after.</summary>
    private sealed class Http2 : IDisposable
    {
        private const int StaticEntries = 61;

        private readonly List<(string Name, string Value)> table = []; // the newest first
        private readonly NetworkStream stream;
        private int last = -1;

        private Http2(NetworkStream stream) => this.stream = stream;

        public int Pieces { get; set; } = 1;

        public int Padding { get; set; }

        public static async Task<Http2> Connect(string path)
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
            var connection = new Http2(new NetworkStream(socket, ownsSocket: true));
            await connection.stream.WriteAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray());
            await connection.Send(4, 0, 0, []);
            return connection;
        }

        public async Task<DevicePluginOptions> Call(string path, string? authority, string? timeout = null)
        {
            last += 2;
            var block = new List<byte>();
            Header(block, 3, ":method", "POST"); // indexed whole in HPACK's own table
            Header(block, 6, ":scheme", "http");
            Header(block, 0, ":path", path, 4);
            if (authority is not null)
                Header(block, 0, ":authority", authority, 1);
            Header(block, 0, "content-type", "application/grpc", 31);
            Header(block, 0, "te", "trailers");
            if (timeout is not null)
                Header(block, 0, "grpc-timeout", timeout);
            await SendHeaders([.. block]);
            await Send(0, 0x1, last, [0, 0, 0, 0, 0]);
            return await Answer();
        }

        public void Dispose() => stream.Dispose();

        private void Header(List<byte> block, int whole, string name, string value, int nameAt = 0)
        {
            if (whole == 0 && table.IndexOf((name, value)) is >= 0 and var at)
                whole = StaticEntries + 1 + at;
            if (whole > 0)
            {
                Integer(block, 0x80, 7, whole);
                return;
            }
            Integer(block, 0x40, 6, nameAt);
            if (nameAt == 0)
                Text(block, name);
            Text(block, value);
            table.Insert(0, (name, value));
            while (table.Sum(e => 32 + e.Name.Length + e.Value.Length) > 4096)
                table.RemoveAt(table.Count - 1);
        }

        private static void Text(List<byte> block, string text)
        {
            Integer(block, 0, 7, text.Length);
            block.AddRange(Encoding.ASCII.GetBytes(text));
        }

        private static void Integer(List<byte> block, int type, int bits, int value)
        {
            var full = (1 << bits) - 1;
            if (value < full)
            {
                block.Add((byte)(type | value));
                return;
            }
            block.Add((byte)(type | full));
            for (value -= full; value >= 0x80; value >>= 7)
                block.Add((byte)(0x80 | (value & 0x7f)));
            block.Add((byte)value);
        }

        private async Task SendHeaders(byte[] block)
        {
            var pieces = block.Chunk((block.Length + Pieces - 1) / Pieces).ToList();
            foreach (var (i, piece) in pieces.Index())
            {
                var end = i == pieces.Count - 1 ? 0x4 : 0;
                if (i > 0)
                    await Send(9, end, last, piece);
                else if (Padding == 0)
                    await Send(1, end, last, piece);
                else
                    await Send(1, end | 0x8 | 0x20, last, [(byte)Padding, 0, 0, 0, 0, 16, .. piece, .. new byte[Padding]]);
            }
        }

        private async Task Send(byte type, int flags, int stream, byte[] payload)
        {
            var frame = new byte[9 + payload.Length];
            BinaryPrimitives.WriteInt32BigEndian(frame, payload.Length << 8);
            (frame[3], frame[4]) = (type, (byte)flags);
            BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
            payload.CopyTo(frame, 9);
            // Byte by byte now and then, as a busy node may deliver it.
            if (last % 7 == 1)
                foreach (var one in frame)
                    await this.stream.WriteAsync(new[] { one });
            else
                await this.stream.WriteAsync(frame);
        }

        private async Task<DevicePluginOptions> Answer()
        {
            var data = new List<byte>();
            while (true)
            {
                var head = new byte[9];
                await stream.ReadExactlyAsync(head);
                var payload = new byte[BinaryPrimitives.ReadInt32BigEndian(head) >> 8];
                await stream.ReadExactlyAsync(payload);
                Assert.False(head[3] is 3 or 7, $"The server ended the {(head[3] == 3 ? "stream" : "connection")}: {Convert.ToHexString(payload)}");
                if (BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)) != last)
                    continue;
                if (head[3] == 0)
                    data.AddRange(payload);
                if ((head[4] & 0x1) != 0)
                    return DevicePluginOptions.Parser.ParseFrom(data.Skip(5).ToArray());
            }
        }
    }
}
