using Hami.Tests.Given;

namespace Hami.Tests.Plumbing;

public sealed class ServingGraphiQL(RunningScene running) : IClassFixture<RunningScene>
{
    [Fact]
    public async Task The_page_and_all_it_names_are_served_where_npm_has_fetched_them()
    {
        Assert.SkipUnless(Directory.Exists(Path.Combine(AppContext.BaseDirectory, "graphiql")), "GraphiQL is not built in: npm was missing at build time.");
        using var http = new HttpClient { BaseAddress = running.Scene.Address };

        var page = await http.GetStringAsync(new Uri("graphql/ui", UriKind.Relative));

        foreach (var file in new[] { "graphiql.min.css", "react.production.min.js", "react-dom.production.min.js", "graphiql.min.js", "start.js" })
        {
            Assert.Contains($"/graphql/ui/{file}", page, StringComparison.Ordinal);
            using var answer = await http.GetAsync(new Uri($"graphql/ui/{file}", UriKind.Relative));
            Assert.True(answer.IsSuccessStatusCode, file);
        }
    }

    [Theory]
    [InlineData("graphql/ui/hami-api.dll")]
    [InlineData("graphql/ui/..%2Fhami-api.dll")]
    [InlineData("graphql/ui/missing.js")]
    public async Task Nothing_else_is_served(string path)
    {
        using var http = new HttpClient { BaseAddress = running.Scene.Address };
        using var answer = await http.GetAsync(new Uri(path, UriKind.Relative));

        Assert.Equal(404, (int)answer.StatusCode);
    }
}
