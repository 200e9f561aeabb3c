using System.Security.Cryptography.X509Certificates;
using Hami.Lab.Cluster;

namespace Hami.Tests.Cluster;

public sealed class LayingOutALab : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hami-test-").FullName;

    [Fact]
    public void The_three_nodes_have_the_cards_of_the_article_and_no_two_share_a_uuid()
    {
        Assert.Equal(
            [("n1", 8, 24564L), ("n2", 4, 40960L), ("n3", 4, 32768L)],
            LabNode.Three.Select(node => (node.Name, node.Cards.Count, node.Cards[0].MemoryMiB)));
        var uuids = LabNode.Three.SelectMany(node => node.Cards).Select(card => card.Uuid).ToList();
        Assert.Equal(16, uuids.Distinct(StringComparer.Ordinal).Count());
        Assert.All(uuids, uuid => Assert.Matches("^GPU-[0-9a-f]{8}-[0-9a-f]{4}-4000-8000-[0-9a-f]{12}$", uuid));
    }

    [Fact]
    public void The_driver_reads_a_card_a_line() =>
        Assert.Equal("GPU-0000a100-0002-4000-8000-000000000003;NVIDIA A100-SXM4-40GB;40960;108;bus=00000000:43:00.0;path=cpu1/bridge3/switch3/board3;mig=off", LabNode.Three[1].AsDriverFile().Split('\n')[3]);

    [Fact]
    public void A_long_directory_keeps_its_nodes_in_a_short_place_and_always_the_same()
    {
        var deep = Path.Combine(_folder, new string('x', 80));
        Assert.Equal(_folder, new LabPaths(_folder).Nodes);
        Assert.Equal(new LabPaths(deep).Nodes, new LabPaths(deep).Nodes);
        Assert.InRange(new LabPaths(deep).Nodes.Length, 1, 30);
    }

    [Fact]
    public void The_webhook_answers_with_a_certificate_of_the_labs_authority()
    {
        var made = LabAuthority.In(_folder, TimeProvider.System).Issue(_folder, Loopback.Address, TimeProvider.System);
        using var certificate = X509Certificate2.CreateFromPemFile(made.CertificateFile, made.KeyFile);
        using var authority = X509Certificate2.CreateFromPem(made.AuthorityPem);
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        Assert.True(chain.Build(certificate), string.Join(' ', chain.ChainStatus.Select(status => status.StatusInformation)));
        Assert.True(certificate.MatchesHostname("127.0.0.1"));
    }

    [Fact]
    public void A_directory_keeps_its_authority_and_so_does_whoever_was_told_of_it()
    {
        var first = LabAuthority.In(_folder, TimeProvider.System).Pem;
        Assert.Equal(first, LabAuthority.In(_folder, TimeProvider.System).Pem);
        foreach (var round in Enumerable.Range(0, 20))
        {
            var many = Path.Combine(_folder, $"many-{round}");
            Assert.Single(Enumerable.Range(0, 20).AsParallel().WithDegreeOfParallelism(20).Select(_ => LabAuthority.In(many, TimeProvider.System).Pem).Distinct(StringComparer.Ordinal));
            Assert.Single(Directory.EnumerateFiles(many));
        }
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_folder, "authority.pem")));
    }

    [Theory]
    [InlineData("192.0.2.7")]
    [InlineData("builder.example.org")]
    public void A_control_plane_that_is_reached_from_elsewhere_has_that_name_in_its_certificate(string host)
    {
        var made = LabAuthority.In(_folder, TimeProvider.System).Issue(_folder, host, TimeProvider.System);
        using var certificate = X509Certificate2.CreateFromPemFile(made.CertificateFile, made.KeyFile);
        Assert.True(certificate.MatchesHostname(host));
        Assert.True(certificate.MatchesHostname("127.0.0.1"));
    }

    [Fact]
    public void Only_one_lab_runs_on_a_directory()
    {
        var paths = new LabPaths(_folder);
        using (var mine = LabLock.TryTake(paths))
        {
            Assert.NotNull(mine);
            Assert.Null(LabLock.TryTake(paths));
            Assert.True(LabLock.IsHeld(paths));
        }

        Assert.False(LabLock.IsHeld(paths));
    }

    [Fact]
    public void A_wanted_port_is_taken_when_free_and_replaced_when_not()
    {
        var wanted = Loopback.FreePort();
        Assert.Equal(wanted, Loopback.FreePort(wanted));
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, wanted);
        taken.Start();
        Assert.NotEqual(wanted, Loopback.FreePort(wanted));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
