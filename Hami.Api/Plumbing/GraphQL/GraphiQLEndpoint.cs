namespace Hami.Api.Plumbing.GraphQL;

/// <summary><c>GET /graphql/ui</c>: GraphiQL, from the files its npm package was built into.</summary>
internal static class GraphiQLEndpoint
{
    private static readonly string Files = Path.Combine(AppContext.BaseDirectory, "graphiql");

    private static readonly Dictionary<string, string> ContentTypes = new(StringComparer.Ordinal)
    {
        [".html"] = "text/html; charset=utf-8",
        [".js"] = "text/javascript; charset=utf-8",
        [".css"] = "text/css; charset=utf-8",
    };

    public static void MapGraphiQL(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/graphql/ui", () => Serve("index.html"));
        routes.MapGet("/graphql/ui/{file}", (string file) => Serve(file));
    }

    private static IResult Serve(string file)
    {
        if (!Directory.Exists(Files))
            return Results.Text("GraphiQL is not built in: run `./hami build` where npm is installed. Queries go to POST /graphql.", statusCode: StatusCodes.Status404NotFound);
        // A route value holds no slash, so the name stays within the folder; only files that were built are served.
        var path = Path.Combine(Files, Path.GetFileName(file));
        return ContentTypes.TryGetValue(Path.GetExtension(path), out var type) && File.Exists(path)
            ? Results.File(path, type)
            : Results.NotFound();
    }
}
